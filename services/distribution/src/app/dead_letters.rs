//! Dead letters about masked leads: they keep what an operator needs to send them again, and lose what they say of a person. A lead that was
//! never decided has nothing else, so its letter goes.

use leadflow_contracts::{
    Event,
    events::{LeadAssigned, LeadReceived, LeadRefused, ReturnDecided},
};
use leadflow_kernel::{LeadId, SellerId};
use leadflow_messaging::{
    Bus,
    dlq::{self, DeadLetter},
};
use prost::Message as _;
use prost::bytes::Bytes;

use super::AppError;

/// In place of what a consumer said of it, which may repeat parts of it.
const ERROR: &str = "not kept: the personal data of its lead was removed";

/// A letter about a tenant's lead that has personal data in it.
pub(super) struct Letter {
    letter: DeadLetter,
    pub(super) lead: LeadId,
    /// Texts of the post, of a lead.
    pub(super) texts: Vec<String>,
    /// When the letter is about a lead that nobody decided yet.
    pub(super) undecided: bool,
    /// What is left of it; `None`: nothing.
    emptied: Option<Bytes>,
}

impl Letter {
    pub(super) const fn number(&self) -> u64 {
        self.letter.number
    }

    pub(super) fn at(&self) -> chrono::DateTime<chrono::Utc> {
        self.letter.at
    }
}

/// The dead letters about a tenant's leads in which something is left.
pub(super) async fn of_tenant(bus: &Bus, seller: SellerId) -> Result<Vec<Letter>, AppError> {
    let letters = dlq::list(bus, 1, usize::MAX).await.map_err(unreadable)?;
    Ok(letters.into_iter().filter_map(|letter| read(letter, seller)).collect())
}

/// Removes or empties one.
pub(super) async fn empty(bus: &Bus, letter: &Letter) -> Result<(), AppError> {
    match &letter.emptied {
        Some(payload) => dlq::replace(bus, &letter.letter, payload.clone(), ERROR).await,
        None => dlq::forget(bus, letter.letter.number).await,
    }
    .map_err(unreadable)
}

pub(super) fn unreadable(error: leadflow_messaging::BusError) -> AppError {
    AppError::Stream(error)
}

fn read(letter: DeadLetter, seller: SellerId) -> Option<Letter> {
    let payload = letter.payload.clone();
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let (whose, lead, texts, emptied) = match letter.kind.as_str() {
        LeadReceived::TYPE => {
            let event = LeadReceived::decode(payload).ok()?;
            let mut texts = vec![text(&event.data_json), text(&event.raw_json), event.reference];
            texts.extend(event.unknown_fields);
            (event.seller_id, event.lead_id, texts, None)
        }
        LeadAssigned::TYPE => {
            let mut event = LeadAssigned::decode(payload).ok().filter(|event| event.data_json.as_ref() != b"{}")?;
            let texts = vec![text(&event.data_json)];
            event.data_json = Bytes::from_static(b"{}");
            (event.seller_id.clone(), event.lead_id.clone(), texts, Some(event.encode_to_vec()))
        }
        LeadRefused::TYPE => {
            let mut event = LeadRefused::decode(payload).ok().filter(|event| !event.because.is_empty())?;
            let texts = vec![std::mem::take(&mut event.because)];
            (event.seller_id.clone(), event.lead_id.clone(), texts, Some(event.encode_to_vec()))
        }
        ReturnDecided::TYPE => {
            let mut event = ReturnDecided::decode(payload).ok().filter(|event| !event.note.is_empty())?;
            let texts = vec![std::mem::take(&mut event.note)];
            (event.seller_id.clone(), event.lead_id.clone(), texts, Some(event.encode_to_vec()))
        }
        _ => return None,
    };
    let undecided = letter.kind == LeadReceived::TYPE;
    let mine = whose.parse() == Ok(seller);
    let lead = lead.parse().ok()?;
    mine.then(|| Letter { letter, lead, texts, undecided, emptied: emptied.map(Bytes::from) })
}
