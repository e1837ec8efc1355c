//! Data of which a part is gone.

use std::fs;

use crate::machine::Machine;

#[tokio::test]
async fn half_of_the_data_is_refused_with_the_way_out_which_works() {
    let machine = Machine::new();
    machine.run(&["up"]).succeeded();
    machine.run(&["down"]).succeeded();
    let data = machine.home().join("data");
    for (gone, kept) in [("nats", "the database"), ("postgresql", "the streams")] {
        let aside = machine.home().join("aside");
        fs::rename(data.join(gone), &aside).expect("put aside");
        let up = machine.run(&["up"]);
        up.failed_with_one_sentence(&[
            &format!("data/{gone} was removed while {kept} that belong"),
            "put it back, or start empty with: make down && rm -rf",
        ]);
        assert!(machine.running().is_empty());
        let (found, mend) = machine.run(&["doctor"]).wrong("data");
        assert!(found.contains(&format!("data/{gone} was removed")) && mend.contains("rm -rf"), "{found}; {mend}");
        fs::rename(&aside, data.join(gone)).expect("put back");
    }
    machine.run(&["up"]).succeeded();
    machine.run(&["down"]).succeeded();

    // The other way out: what it says, done. Nothing of before is left to disturb.
    fs::remove_dir_all(data.join("nats")).expect("removed");
    assert!(!machine.run(&["up"]).ok);
    fs::remove_dir_all(&data).expect("removed");
    machine.run(&["up"]).succeeded();
    machine.run(&["doctor"]).succeeded();
}
