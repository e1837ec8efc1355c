//! The ledger as a file: whole, in order, and what accountants' programs take.

use std::{collections::BTreeMap, env, fs, io, process::Command};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use leadflow_billing::export::{Exported, Format, Part, export};
use leadflow_billing_domain::{Account, AccountKind, PostingKind};
use leadflow_kernel::{AssignmentId, BuyerId, PaymentId, PostingId, SellerId};
use leadflow_testkit::TempDir;
use rust_decimal::Decimal;
use sqlx::PgPool;

use crate::support::*;

const KINDS: [AccountKind; 8] = [
    AccountKind::BuyerWallet,
    AccountKind::SellerEarnings,
    AccountKind::PlatformFees,
    AccountKind::ExternalFunding,
    AccountKind::CardClearing,
    AccountKind::Disputed,
    AccountKind::BuyerDebt,
    AccountKind::PlatformUsage,
];

/// A tenant's postings, written as the service writes them.
struct Books {
    seller: SellerId,
    buyer: BuyerId,
    balance: Decimal,
    lines: i64,
    at: DateTime<Utc>,
}

impl Books {
    async fn new(world: &World, from: &str) -> Self {
        let books =
            Self { seller: SellerId::new(), buyer: BuyerId::new(), balance: Decimal::ZERO, lines: 0, at: at(from) };
        for account in KINDS.map(|kind| books.account(kind)) {
            sqlx::query(
                "INSERT INTO billing.accounts (account_id, kind, seller_id, buyer_id, currency) VALUES ($1, $2, $3, $4, 'USD')",
            )
            .bind(account.id().uuid())
            .bind(account.kind.name())
            .bind(books.seller.uuid())
            .bind(account.buyer.map(BuyerId::uuid))
            .execute(world.pool())
            .await
            .unwrap();
        }
        books
    }

    fn account(&self, kind: AccountKind) -> Account {
        let buyer = matches!(kind, AccountKind::BuyerWallet | AccountKind::BuyerDebt).then_some(self.buyer);
        Account { kind, seller: self.seller, buyer }
    }

    /// A day later.
    async fn post(&mut self, pool: &PgPool, kind: PostingKind, text: &str, entries: &[(AccountKind, &str)]) {
        let id = PostingId::new();
        self.at += TimeDelta::days(1);
        let mut tx = pool.begin().await.unwrap();
        sqlx::query(
            "INSERT INTO billing.postings (posting_id, kind, seller_id, assignment_id, at, description, payment_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(id.uuid())
        .bind(kind.name())
        .bind(self.seller.uuid())
        .bind(kind.assignment().map(AssignmentId::uuid))
        .bind(self.at)
        .bind(text)
        .bind(kind.payment().map(PaymentId::uuid))
        .execute(&mut *tx)
        .await
        .unwrap();
        let (mut accounts, mut amounts, mut numbers, mut balances) = (vec![], vec![], vec![], vec![]);
        for (kind, amount) in entries {
            let amount = dec(amount);
            accounts.push(self.account(*kind).id().uuid());
            amounts.push(amount);
            let is_wallet = *kind == AccountKind::BuyerWallet;
            if is_wallet {
                self.balance += amount;
                self.lines += 1;
            }
            numbers.push(is_wallet.then_some(self.lines));
            balances.push(is_wallet.then_some(self.balance));
        }
        sqlx::query(
            "INSERT INTO billing.entries (posting_id, line, account_id, amount, number, balance_after) \
             SELECT $1, t.line, t.account, t.amount, t.number, t.balance \
             FROM unnest($2::uuid[], $3::numeric[], $4::bigint[], $5::numeric[]) WITH ORDINALITY \
               AS t(account, amount, number, balance, line)",
        )
        .bind(id.uuid())
        .bind(accounts)
        .bind(amounts)
        .bind(numbers)
        .bind(balances)
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// One posting of each kind, and some that are hard to write.
    async fn every_kind(&mut self, world: &World) {
        use AccountKind::{
            BuyerDebt, BuyerWallet, CardClearing, Disputed, ExternalFunding, PlatformFees, PlatformUsage,
            SellerEarnings,
        };
        let (assignment, payment) = (AssignmentId::new(), PaymentId::new());
        let sale = |amounts: [&'static str; 3]| {
            [BuyerWallet, SellerEarnings, PlatformFees].into_iter().zip(amounts).collect::<Vec<_>>()
        };
        for (kind, text, entries) in [
            (
                PostingKind::Credit,
                "\"bank\" \\ transfer, 7\nthe first",
                vec![(BuyerWallet, "50.00"), (ExternalFunding, "-50.00")],
            ),
            (PostingKind::TopUp(payment), "Card **** 4242", vec![(BuyerWallet, "100.00"), (CardClearing, "-100.00")]),
            (PostingKind::Recharge(PaymentId::new()), "=1+1", vec![(BuyerWallet, "25.00"), (CardClearing, "-25.00")]),
            (PostingKind::LeadPurchase(assignment), "Sólar – Flörida ☀", sale(["-25.00", "23.75", "1.25"])),
            (PostingKind::LeadPurchase(AssignmentId::new()), "", vec![(BuyerWallet, "0.00")]),
            (PostingKind::LeadReturn(assignment), "wrong number", sale(["25.00", "-23.75", "-1.25"])),
            (PostingKind::CardRefund(payment), "back", vec![(BuyerWallet, "-30.00"), (CardClearing, "30.00")]),
            (
                PostingKind::CardRefundFailed(payment),
                "it did not arrive",
                vec![(BuyerWallet, "30.00"), (CardClearing, "-30.00")],
            ),
            (
                PostingKind::Dispute(payment),
                "dp_1",
                vec![(BuyerWallet, "-90.00"), (BuyerDebt, "-10.00"), (Disputed, "100.00")],
            ),
            (
                PostingKind::DisputeClosed(payment),
                "lost",
                vec![(BuyerWallet, "0.00"), (Disputed, "-100.00"), (CardClearing, "100.00")],
            ),
            (PostingKind::DebtRepaid, "Repayment", vec![(BuyerWallet, "-10.00"), (BuyerDebt, "10.00")]),
            (PostingKind::Usage, "Messages of 2026-10", vec![(SellerEarnings, "-1.15"), (PlatformUsage, "1.15")]),
        ] {
            self.post(world.pool(), kind, text, &entries).await;
        }
    }
}

async fn written(world: &World, part: Part, format: Format) -> (String, Exported) {
    let mut out = Vec::new();
    let exported = export(world.pool(), &part, format, &mut out).await.unwrap();
    (String::from_utf8(out).unwrap(), exported)
}

fn day(text: &str) -> Option<NaiveDate> {
    Some(text.parse().unwrap())
}

/// What beancount says to a file; nothing where it is not installed (`make bean-check` installs it).
fn bean_check(text: &str) {
    let Some(program) = env::var_os("LEADFLOW_BEAN_CHECK") else {
        eprintln!("beancount was not asked: LEADFLOW_BEAN_CHECK is not set");
        return;
    };
    let folder = TempDir::new("bean-check").unwrap();
    let file = folder.path().join("ledger.beancount");
    fs::write(&file, text).unwrap();
    let checked = Command::new(&program).arg(&file).output().unwrap();
    let said = [checked.stdout, checked.stderr].map(|out| String::from_utf8_lossy(&out).into_owned()).concat();
    assert!(checked.status.success() && said.is_empty(), "{said}\n{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn postings_of_every_kind_are_written_and_beancount_takes_them() {
    let world = World::new().await;
    let (mut one, mut other) =
        (Books::new(&world, "2026-10-01T23:30:00Z").await, Books::new(&world, "2026-10-05T00:00:00Z").await);
    one.every_kind(&world).await;
    other.every_kind(&world).await;
    let kinds = world.count("SELECT count(DISTINCT kind) FROM billing.postings").await;
    let known = world
        .count(
            "SELECT cardinality(regexp_matches)::bigint FROM (SELECT array_agg(m[1]) AS regexp_matches FROM regexp_matches( \
               (SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'postings_kind_check'), \
               '''([a-z_]+)''', 'g') AS m) k",
        )
        .await;
    assert_eq!(kinds, known, "a kind of posting is not written here");

    let (text, exported) = written(&world, Part::default(), Format::Beancount).await;
    assert_eq!((exported.postings, exported.lines), (24, 54));
    bean_check(&text);
    let (again, _) = written(&world, Part::default(), Format::Beancount).await;
    assert_eq!(text, again);
    for wanted in [
        "2026-10-02 * \"credit\" \"\\\"bank\\\" \\\\ transfer, 7 the first\"\n  posting: \"post_",
        "  time: \"2026-10-02T23:30:00.000000Z\"\n  Liabilities:Seller-",
        ":Card-Clearing  100.00 USD\n",
        ":Debt:Buyer-",
        "2026-10-18 balance Income:Seller-",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }
    // What lies before a part is its opening; what is wrong is seen.
    for (from, to) in [
        (day("2026-10-08"), None),
        (day("2026-10-08"), day("2026-10-10")),
        (None, day("2026-10-08")),
        (day("2026-11-01"), None),
        (day("2026-09-01"), day("2026-09-30")),
    ] {
        let part = Part { seller: None, from, to };
        bean_check(&written(&world, part, Format::Beancount).await.0);
        bean_check(&written(&world, Part { seller: Some(one.seller), ..part }, Format::Beancount).await.0);
    }
}

/// The rows of a file without its head, each as its fields.
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(other),
        }
    }
    assert!(row.is_empty() && field.is_empty(), "the last line is whole");
    assert_eq!(rows.remove(0).join(" "), "posting time kind description account amount currency balance");
    assert!(rows.iter().all(|row| row.len() == 8), "{rows:?}");
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_file_are_the_whole_and_balances_go_on_from_one_to_the_next() {
    let world = World::new().await;
    let (mut one, mut other) =
        (Books::new(&world, "2026-10-01T12:00:00Z").await, Books::new(&world, "2026-10-01T12:00:00Z").await);
    one.every_kind(&world).await;
    other.every_kind(&world).await;
    let part = |seller, from, to| Part { seller, from, to };
    let (all, _) = written(&world, Part::default(), Format::Csv).await;
    let all = rows(&all);
    assert_eq!(all.len(), 54);
    let mut halves = Vec::new();
    for (from, to) in [(None, day("2026-10-06")), (day("2026-10-07"), day("2026-10-07")), (day("2026-10-08"), None)] {
        halves.extend(rows(&written(&world, part(None, from, to), Format::Csv).await.0));
    }
    assert_eq!(halves, all);
    let mine: Vec<_> = all.iter().filter(|row| row[4].contains(&one.seller.to_string())).cloned().collect();
    assert_eq!(rows(&written(&world, part(Some(one.seller), None, None), Format::Csv).await.0), mine);
    let none = written(&world, part(Some(SellerId::new()), None, None), Format::Csv).await;
    assert_eq!((rows(&none.0).len(), none.1), (0, Exported::default()));

    let (mut sums, mut last) = (BTreeMap::new(), BTreeMap::new());
    for row in &all {
        *sums.entry(row[4].clone()).or_insert(Decimal::ZERO) += dec(&row[5]);
        last.insert(row[4].clone(), dec(&row[7]));
    }
    assert_eq!(sums, last, "a balance is the sum of what went before");
    assert_eq!(sums.values().sum::<Decimal>(), Decimal::ZERO);
    let wallet = format!("buyer_wallet:{}:{}", one.seller, one.buyer);
    assert_eq!(last[&wallet], one.balance);
    let formula = all.iter().find(|row| row[2] == "recharge").unwrap();
    assert_eq!(formula[3], "'=1+1", "no program takes it for a formula");
}

/// Somebody posts when the first bytes are written, before they are.
struct Meanwhile {
    out: Vec<u8>,
    post: Option<Box<dyn FnOnce() + Send>>,
}

impl io::Write for Meanwhile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(post) = self.post.take() {
            std::thread::spawn(post).join().unwrap();
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_postings_come_page_by_page_and_what_is_written_meanwhile_is_not_among_them() {
    let world = World::new().await;
    let mut books = Books::new(&world, "2026-10-01T12:00:00Z").await;
    let credit = [(AccountKind::BuyerWallet, "9000.00"), (AccountKind::ExternalFunding, "-9000.00")];
    books.post(world.pool(), PostingKind::Credit, "first", &credit).await;
    // 3,000 postings of two lines: more than a page, and not a multiple of one.
    sqlx::query(
        "WITH new AS ( \
           INSERT INTO billing.postings (posting_id, kind, seller_id, at, description) \
           SELECT gen_random_uuid(), 'usage', $1, '2026-10-10T00:00:00Z', 'Messages' FROM generate_series(1, 3001) \
           RETURNING posting_id) \
         INSERT INTO billing.entries (posting_id, line, account_id, amount) \
         SELECT posting_id, line, account, amount FROM new, \
           (VALUES (1::smallint, $2::uuid, -0.01), (2::smallint, $3::uuid, 0.01)) AS l(line, account, amount)",
    )
    .bind(books.seller.uuid())
    .bind(books.account(AccountKind::SellerEarnings).id().uuid())
    .bind(books.account(AccountKind::PlatformUsage).id().uuid())
    .execute(world.pool())
    .await
    .unwrap();
    // As soon as the first bytes are written, somebody posts something.
    let url = world.db.url();
    let post = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let pool = PgPool::connect(&url).await.unwrap();
            books.post(&pool, PostingKind::Credit, "later", &credit).await;
        });
    };
    let mut out = Meanwhile { out: Vec::new(), post: Some(Box::new(post)) };
    let exported = export(world.pool(), &Part::default(), Format::Beancount, &mut out).await.unwrap();
    assert!(out.post.is_none());
    assert_eq!((exported.postings, exported.lines), (3_002, 6_004));
    let text = String::from_utf8(out.out).unwrap();
    bean_check(&text);
    assert!(!text.contains("later") && text.contains("  -9000.00 USD\n"), "as it was when it began");
    let (text, exported) = written(&world, Part::default(), Format::Beancount).await;
    assert!(text.contains("later") && exported.postings == 3_003);
}
