//! Holds, sales, returns and credits by hand.

use leadflow_billing_domain::{HoldOutcome, HoldRequest, PaidSale, PostingKind, Price, Sale, Wanted};
use rust_decimal::Decimal;

use super::Ours;
use crate::stripe::money;

impl Ours {
    pub fn credit(&mut self, amount: Decimal) {
        let (posting, repaid) = (self.id(), self.id());
        self.change(|books, ours| {
            let (seller, buyer) = (ours.wallet.seller, ours.wallet.buyer);
            books.credit(seller, buyer, money(amount), String::new(), posting, ours.now).unwrap();
            Self::repay(books, ours, repaid);
        });
    }

    fn request(&self, hold: usize, price: Decimal) -> HoldRequest {
        let id = self.hold_ids[hold];
        HoldRequest {
            id,
            seller: self.wallet.seller,
            buyer: self.wallet.buyer,
            lead: leadflow_kernel::Id::from_uuid(id.uuid()),
            campaign: leadflow_kernel::Id::from_uuid(id.uuid()),
            price: Price::new(money(price)).unwrap(),
        }
    }

    pub fn hold(&mut self, hold: usize, price: Decimal) {
        let before = self.wallet;
        let outcome = self.change(|books, ours| books.place(&ours.request(hold, price), ours.now));
        if outcome == HoldOutcome::Held && !before.takes_holds() {
            // Only one that stood already is answered again.
            assert_eq!((before.held, before.balance), (self.wallet.held, self.wallet.balance));
        }
        if outcome == HoldOutcome::InsufficientFunds {
            self.wanted = Some(Wanted { price, at: self.now });
        }
    }

    /// The lead was sold.
    pub fn capture(&mut self, hold: usize) {
        let Some(held) = self.holds.get(&self.hold_ids[hold]).cloned() else { return };
        let posting = self.id();
        self.change(|books, ours| {
            let asked = ours.request(hold, held.amount);
            let sale = Sale {
                assignment: asked.id,
                seller: asked.seller,
                buyer: asked.buyer,
                lead: asked.lead,
                campaign: asked.campaign,
                price: asked.price,
                description: String::new(),
            };
            // One that was given back is paid only if there is money.
            let _ = books.capture(&sale, posting, ours.now);
        });
    }

    pub fn release(&mut self, hold: usize) {
        let id = self.hold_ids[hold];
        self.change(|books, ours| books.release(id, None, ours.now));
    }

    /// The sale is undone, once.
    pub fn return_sale(&mut self, hold: usize) {
        let id = self.hold_ids[hold];
        let (seller, buyer) = (self.wallet.seller, self.wallet.buyer);
        let Some(bought) = self.ledger.iter().find(|posting| posting.kind == PostingKind::LeadPurchase(id)) else {
            return;
        };
        if self.ledger.iter().any(|posting| posting.kind == PostingKind::LeadReturn(id)) {
            return;
        }
        let others = bought.entries.iter().filter(|entry| entry.wallet.is_none());
        let shares: Vec<_> = others.map(|entry| (entry.account.kind, entry.amount)).collect();
        let price = shares.iter().map(|(_, share)| *share).sum();
        let sale = PaidSale { assignment: id, seller, buyer, price, shares };
        let (posting, repaid) = (self.id(), self.id());
        self.change(|books, ours| {
            books.give_back(&sale, String::new(), posting, ours.now).unwrap();
            Self::repay(books, ours, repaid);
        });
    }
}
