//! When a wallet is recharged by itself, and with how much.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use leadflow_kernel::{BuyerId, CardId, Money, SellerId};
use rust_decimal::Decimal;

use crate::{Period, Wallet, decline};

/// How long a card is left alone after its first, second and third decline in a row. After the next one recharging is turned off.
const REST: [TimeDelta; 3] = [TimeDelta::hours(1), TimeDelta::hours(6), TimeDelta::hours(24)];

/// A lead that was refused for lack of funds longer ago than this waits no more, or was asked about again (distribution does so every
/// quarter of an hour).
const WANT_LASTS: TimeDelta = TimeDelta::minutes(20);

/// The most attempts a day that can be set.
pub const MOST_A_DAY: u32 = 20;

/// Whether and how a wallet is recharged, and how that went so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recharge {
    /// Whose.
    pub buyer: BuyerId,
    /// The tenant.
    pub seller: SellerId,
    /// Turned on.
    pub enabled: bool,
    /// How much at a time. Major units; more than zero when enabled.
    pub amount: Decimal,
    /// More than that when the lead that waits costs more than would then be available.
    pub cover_waiting_lead: bool,
    /// Attempts a day on the tenant's calendar.
    pub most_a_day: u32,
    /// Declines in a row,
    pub declines: u32,
    /// of this card,
    pub declined_card: Option<CardId>,
    /// which is not tried again before this.
    pub not_before: Option<DateTime<Utc>>,
    /// The day that `made_that_day` counts.
    pub day: NaiveDate,
    /// Attempts of that day.
    pub made_that_day: u32,
    /// Why the program turned it off, in words; empty otherwise.
    pub turned_off_because: String,
}

/// The price of a lead that was refused for lack of funds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Major units.
    pub price: Decimal,
    /// When it was refused last.
    pub at: DateTime<Utc>,
}

/// Why a wallet is not recharged now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNow {
    /// It is turned off.
    Off,
    /// There is enough, or one recharge would not be enough for the lead that waits.
    Enough,
    /// The buyer is paused, archived or suspended.
    Blocked,
    /// There is no card.
    NoCard,
    /// Not before then: the card was declined, or this day's attempts are used up.
    Until(DateTime<Utc>),
}

/// What follows from a decline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterDecline {
    /// Tried again then.
    AgainAt(DateTime<Utc>),
    /// Turned off, for the reason in [`Recharge::turned_off_because`].
    TurnedOff,
    /// It was off already.
    WasOff,
}

impl Recharge {
    /// A wallet's, that nobody has configured.
    #[must_use]
    pub const fn none(seller: SellerId, buyer: BuyerId) -> Self {
        Self {
            buyer,
            seller,
            enabled: false,
            amount: Decimal::ZERO,
            cover_waiting_lead: false,
            most_a_day: 3,
            declines: 0,
            declined_card: None,
            not_before: None,
            day: NaiveDate::MIN,
            made_that_day: 0,
            turned_off_because: String::new(),
        }
    }

    /// How much to charge `card` now, at most `most` at a time.
    ///
    /// # Errors
    /// [`NotNow`].
    pub fn due(
        &self,
        wallet: &Wallet,
        card: Option<CardId>,
        wanted: Option<Wanted>,
        most: Decimal,
        now: DateTime<Utc>,
    ) -> Result<Decimal, NotNow> {
        if !self.enabled {
            return Err(NotNow::Off);
        }
        if !wallet.open || wallet.suspended {
            return Err(NotNow::Blocked);
        }
        let available = wallet.available();
        let missing = wanted
            .filter(|wanted| wanted.at + WANT_LASTS >= now)
            .map(|wanted| wanted.price - available)
            .filter(|missing| *missing > Decimal::ZERO);
        let usual = self.amount.min(most);
        let amount = match missing {
            Some(missing) if missing <= usual => usual,
            Some(missing) if self.cover_waiting_lead && missing <= most => missing,
            _ if wallet.is_low() => usual,
            _ => return Err(NotNow::Enough),
        };
        let card = card.ok_or(NotNow::NoCard)?;
        if let Some(until) = self.not_before
            && self.declined_card == Some(card)
            && now < until
        {
            return Err(NotNow::Until(until));
        }
        let today = Period::day(now, wallet.terms.time_zone);
        if today <= self.day && self.made_that_day >= self.most_a_day {
            return Err(NotNow::Until(day_after(self.day, wallet.terms.time_zone).max(now + TimeDelta::minutes(1))));
        }
        Ok(amount)
    }

    /// An attempt is made now.
    pub fn attempted(&mut self, now: DateTime<Utc>, time_zone: Tz) {
        let today = Period::day(now, time_zone);
        if today > self.day {
            self.day = today;
            self.made_that_day = 0;
        }
        self.made_that_day += 1;
    }

    /// The card was declined.
    pub fn declined(&mut self, card: CardId, code: &str, now: DateTime<Utc>) -> AfterDecline {
        self.declines = if self.declined_card == Some(card) { self.declines + 1 } else { 1 };
        self.declined_card = Some(card);
        let rest = usize::try_from(self.declines - 1).ok().and_then(|nth| REST.get(nth));
        self.not_before = rest.map(|rest| now + *rest);
        match self.not_before {
            _ if !self.enabled => AfterDecline::WasOff,
            Some(at) => AfterDecline::AgainAt(at),
            None => {
                self.turn_off(&format!(
                    "The card was declined {} times in a row. {}",
                    self.declines,
                    decline::sentence(code)
                ));
                AfterDecline::TurnedOff
            }
        }
    }

    /// A card paid, whoever asked it to.
    pub fn paid(&mut self, card: CardId) {
        if self.declined_card == Some(card) {
            self.declines = 0;
            self.declined_card = None;
            self.not_before = None;
        }
    }

    /// The program turns it off; true when it was on.
    pub fn turn_off(&mut self, because: &str) -> bool {
        let was = self.enabled;
        if was {
            self.enabled = false;
            because.clone_into(&mut self.turned_off_because);
        }
        was
    }

    /// A person turns it on or off. A card that is being left alone after a decline stays so; if the program had turned it off, it begins anew.
    pub fn switch(&mut self, enabled: bool) {
        if enabled && !self.turned_off_because.is_empty() {
            self.declines = 0;
            self.declined_card = None;
            self.not_before = None;
        }
        self.enabled = enabled;
        self.turned_off_because.clear();
    }
}

/// The largest and smallest amount that is charged at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Major units of any currency.
    pub least: Decimal,
    /// Major units of any currency.
    pub most: Decimal,
}

impl Bounds {
    /// Whether so much may be charged.
    #[must_use]
    pub fn allow(&self, amount: Money) -> bool {
        amount.amount() >= self.least && amount.amount() <= self.most
    }
}

/// When the day after `day` begins.
fn day_after(day: NaiveDate, time_zone: Tz) -> DateTime<Utc> {
    let next = day.succ_opt().unwrap_or(day);
    // Where clocks skip midnight, the day begins later.
    (0..24)
        .filter_map(|hour| next.and_hms_opt(hour, 0, 0)?.and_local_timezone(time_zone).earliest())
        .map(|begin| begin.with_timezone(&Utc))
        .next()
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}
