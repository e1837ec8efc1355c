//! The results as tables.

use std::{collections::BTreeMap, collections::HashMap, time::Duration};

use leadflow_contracts::common::{Logic, Status, Verdict};
use leadflow_kernel::BuyerId;
use rust_decimal::Decimal;

use super::{
    cast::{Buyer, Cast},
    post::Outcome,
    results::{BuyerResult, CampaignResult},
    table::{
        Align::{Left, Right},
        Table, count, dollars,
    },
};

/// Why not, in the order of the checks; short enough for headings.
const VERDICTS: [(Verdict, &str); 12] = [
    (Verdict::Chosen, "Got it"),
    (Verdict::Outranked, "Outranked"),
    (Verdict::SubscriptionInactive, "Paused here"),
    (Verdict::BuyerInactive, "Buyer paused"),
    (Verdict::StateMismatch, "Other state"),
    (Verdict::LeadHasNoState, "No state"),
    (Verdict::DailyCapReached, "Cap"),
    (Verdict::AlreadyHadLead, "Had it"),
    (Verdict::InsufficientFunds, "No money"),
    (Verdict::WeeklyLimit, "Week's limit"),
    (Verdict::MonthlyLimit, "Month's limit"),
    (Verdict::WalletBlocked, "No wallet"),
];

/// Answers by status and what they said, with how long they took.
pub fn answers(outcomes: &[Outcome]) -> String {
    let mut groups: BTreeMap<(u16, String), Vec<Duration>> = BTreeMap::new();
    for outcome in outcomes {
        groups.entry((outcome.status, said(outcome))).or_default().push(outcome.took);
    }
    let mut table =
        Table::new(&[("Status", Right), ("Answer", Left), ("Posts", Right), ("p50", Right), ("p99", Right)]);
    let mut all = Vec::new();
    for ((status, said), mut times) in groups {
        let status = if status == 0 { "none".to_owned() } else { status.to_string() };
        table.row([status, said, count(times.len() as u64), percentile(&mut times, 50), percentile(&mut times, 99)]);
        all.append(&mut times);
    }
    let posts = count(all.len() as u64);
    table.total([String::new(), "all".to_owned(), posts, percentile(&mut all, 50), percentile(&mut all, 99)]);
    table.to_string()
}

fn said(outcome: &Outcome) -> String {
    if !(200..300).contains(&outcome.status) {
        return match outcome.text("code") {
            "" => "no code".to_owned(),
            code => code.to_owned(),
        };
    }
    let reason = match outcome.text("reason") {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    let test = if outcome.body["test"].as_bool() == Some(true) { "test, " } else { "" };
    match (outcome.text("outcome"), outcome.body["distributed"].as_bool()) {
        ("accepted", Some(true)) => format!("{test}sold"),
        ("accepted", _) => format!("{test}accepted, not sold yet{reason}"),
        (other, _) => format!("{test}{other}{reason}"),
    }
}

/// One campaign: what became of its leads, and for each buyer how often it got one and why not.
pub fn campaign(cast: &Cast, place: usize, result: &CampaignResult) -> String {
    let spec = &cast.campaigns[place];
    let subscriptions = || cast.subscriptions.iter().filter(|(subscription, _)| subscription.campaign == spec.id);
    let leads = result.sold + result.unsold + result.rejected;
    let mut text = format!(
        "  {}. {}: {}, {} a lead\n  {} leads: {} sold for {}{}, {} for sale, {} rejected as duplicates; {} tests\n\n",
        place + 1,
        spec.name,
        logic(spec.logic),
        dollars(spec.price.parse().unwrap_or_default()),
        number(leads),
        number(result.sold),
        dollars(result.revenue),
        if result.sales == result.sold { String::new() } else { format!(" ({} sales)", number(result.sales)) },
        number(result.unsold),
        number(result.rejected),
        number(result.tests),
    );
    let mut headings = vec![("Buyer", Left), ("Priority", Right)];
    headings.extend(VERDICTS.iter().map(|(_, heading)| (*heading, Right)));
    let mut table = Table::new(&headings);
    for (subscription, _) in subscriptions() {
        let Some(buyer) = cast.buyers.iter().find(|buyer| buyer.spec.id == subscription.buyer) else { continue };
        let mut cells = vec![buyer.spec.name.clone(), buyer.spec.priority.to_string()];
        let times = |verdict| result.verdicts.get(&(buyer.spec.id, verdict)).copied().unwrap_or(0);
        cells.extend(VERDICTS.iter().map(|(verdict, _)| count(times(*verdict))));
        table.row(cells);
    }
    text.push_str(&table.without_idle_columns(3).to_string());
    text
}

const fn logic(logic: Logic) -> &'static str {
    match logic {
        Logic::RoundRobin => "round robin",
        Logic::WeightedRoundRobin => "weighted round robin",
        Logic::Waterfall => "waterfall",
        Logic::Broadcast => "broadcast",
        Logic::Unspecified => "?",
    }
}

/// Buyers: what they bought, paid, have left, and were sent.
pub fn buyers(cast: &[Buyer], results: &HashMap<BuyerId, BuyerResult>) -> String {
    let mut table = Table::new(&[
        ("Buyer", Left),
        ("", Left),
        ("Leads", Right),
        ("Put in", Right),
        ("Spent", Right),
        ("Balance", Right),
        ("Delivered", Right),
        ("To be retried", Right),
        ("Given up", Right),
        ("Requests", Right),
    ]);
    let mut all = BuyerResult::default();
    let mut funded = Decimal::ZERO;
    for buyer in cast {
        let result = results.get(&buyer.spec.id).cloned().unwrap_or_default();
        let funds: Decimal = buyer.spec.funds.parse().unwrap_or_default();
        let remark = if buyer.status == Status::Active { buyer.remark } else { "is paused" };
        table.row(cells(&buyer.spec.name, remark, funds, &result));
        funded += funds;
        all.leads += result.leads;
        all.spent += result.spent;
        all.balance += result.balance;
        all.delivered += result.delivered;
        all.pending += result.pending;
        all.gave_up += result.gave_up;
        all.attempts += result.attempts;
    }
    table.total(cells("all", "", funded, &all));
    table.without_idle_columns(6).to_string()
}

fn cells(name: &str, remark: &str, funds: Decimal, result: &BuyerResult) -> [String; 10] {
    [
        name.to_owned(),
        remark.to_owned(),
        count(result.leads),
        dollars(funds),
        dollars(result.spent),
        dollars(result.balance),
        count(result.delivered),
        count(result.pending),
        count(result.gave_up),
        count(result.attempts),
    ]
}

fn number(number: u64) -> String {
    if number == 0 { "0".to_owned() } else { count(number) }
}

fn percentile(times: &mut [Duration], percent: usize) -> String {
    times.sort_unstable();
    let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(place).map_or_else(String::new, |time| format!("{:.1} ms", time.as_secs_f64() * 1_000.0))
}
