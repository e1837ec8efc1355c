//! Every message of every stream.

use leadflow_messaging::{Bus, progress, topology};

use super::{Found, Place, Wanted};

/// Searches those that name the tenant: several events may be one message.
pub(super) async fn search(bus: &Bus, wanted: &Wanted, found: &mut Found) -> anyhow::Result<()> {
    let seller = wanted.seller.to_string();
    for stream in topology::STREAMS {
        found.searched += 1;
        let (mut number, mut count) = (1, 0);
        while let Some(message) = progress::next(bus, stream, number).await? {
            number = message.number + 1;
            let text = String::from_utf8_lossy(&message.payload);
            let names_tenant = text.contains(&seller) || message.subject.contains(&seller);
            if names_tenant && (wanted.is_in(&text) || wanted.is_in(&message.headers)) {
                count += 1;
            }
        }
        if count > 0 {
            found.places.push(Place { name: format!("stream {stream}"), count });
        }
    }
    Ok(())
}
