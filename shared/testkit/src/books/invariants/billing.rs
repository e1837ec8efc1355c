//! The ledger: wallets, holds, postings and their entries.

use super::Invariant;

pub(super) const ALL: &[Invariant] = &[
    Invariant {
        name: "posting_sums_to_zero",
        sentence: "The entries of every posting sum to zero: money moves, it is not made.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.postings",
        broken: "SELECT format('posting %s sums to %s', posting_id, sum(amount))
                 FROM billing.entries GROUP BY posting_id HAVING sum(amount) <> 0",
    },
    Invariant {
        name: "posting_is_whole",
        sentence: "Every posting has entries, exactly one of them on a wallet (but for usage: none), all of its own tenant; every entry has its posting.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.postings",
        broken: "SELECT format('posting %s has %s entries, %s on wallets, %s of another tenant or no account', p.posting_id,
                     count(e.posting_id), count(*) FILTER (WHERE w.kind = 'buyer_wallet'),
                     count(e.posting_id) FILTER (WHERE w.seller_id IS DISTINCT FROM p.seller_id))
                 FROM billing.postings p
                 LEFT JOIN billing.entries e USING (posting_id) LEFT JOIN billing.accounts w USING (account_id)
                 GROUP BY p.posting_id, p.kind
                 HAVING count(e.posting_id) = 0 OR count(*) FILTER (WHERE w.kind = 'buyer_wallet') <> CASE p.kind WHEN 'usage' THEN 0 ELSE 1 END
                     OR count(e.posting_id) FILTER (WHERE w.seller_id IS DISTINCT FROM p.seller_id) > 0
                 UNION ALL
                 SELECT format('entry %s of posting %s belongs to no posting', e.line, e.posting_id)
                 FROM billing.entries e LEFT JOIN billing.postings p USING (posting_id) WHERE p.posting_id IS NULL",
    },
    Invariant {
        name: "balance_is_the_sum_of_entries",
        sentence: "A wallet's balance is the sum of its entries.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.wallets",
        broken: "SELECT format('wallet of buyer %s has %s, its entries sum to %s', w.buyer_id, w.balance, coalesce(sum(e.amount), 0))
                 FROM billing.wallets w
                 LEFT JOIN billing.accounts a ON a.buyer_id = w.buyer_id AND a.kind = 'buyer_wallet'
                 LEFT JOIN billing.entries e ON e.account_id = a.account_id
                 GROUP BY w.buyer_id HAVING w.balance <> coalesce(sum(e.amount), 0)",
    },
    Invariant {
        name: "held_is_the_sum_of_open_holds",
        sentence: "What a wallet has set aside is the sum of its open holds.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.wallets",
        broken: "SELECT format('wallet of buyer %s has set aside %s, its open holds sum to %s', w.buyer_id, w.held,
                     coalesce(sum(h.amount), 0))
                 FROM billing.wallets w LEFT JOIN billing.holds h ON h.buyer_id = w.buyer_id AND h.state = 'held'
                 GROUP BY w.buyer_id HAVING w.held <> coalesce(sum(h.amount), 0)
                 UNION ALL
                 SELECT format('hold %s is on a wallet that does not exist', h.hold_id)
                 FROM billing.holds h LEFT JOIN billing.wallets w USING (buyer_id) WHERE w.buyer_id IS NULL",
    },
    Invariant {
        name: "available_is_never_negative",
        sentence: "Nobody has spent or set aside more than he has.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.wallets",
        broken: "SELECT format('wallet of buyer %s: balance %s, set aside %s', buyer_id, balance, held)
                 FROM billing.wallets WHERE balance < held OR balance < 0 OR held < 0",
    },
    Invariant {
        name: "statement_is_a_chain",
        sentence: "The lines of a wallet's statement are numbered without gaps, each continues the balance of the one before, \
                   and the last is the wallet's.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.entries WHERE number IS NOT NULL",
        broken: "SELECT format('account %s, line %s: %s after %s and a movement of %s', account_id, number, balance_after,
                     before, amount)
                 FROM (SELECT account_id, number, amount, balance_after,
                           coalesce(lag(balance_after) OVER line, 0) AS before, row_number() OVER line AS expected
                       FROM billing.entries WHERE number IS NOT NULL
                       WINDOW line AS (PARTITION BY account_id ORDER BY number)) AS chain
                 WHERE number <> expected OR balance_after <> before + amount
                 UNION ALL
                 SELECT format('wallet of buyer %s has balance %s and %s lines, its statement ends with %s after %s', w.buyer_id,
                     w.balance, w.lines, coalesce(e.balance_after, 0), coalesce(e.number, 0))
                 FROM billing.wallets w
                 LEFT JOIN billing.accounts a ON a.buyer_id = w.buyer_id AND a.kind = 'buyer_wallet'
                 LEFT JOIN (
                     SELECT DISTINCT ON (account_id) account_id, number, balance_after FROM billing.entries
                     WHERE number IS NOT NULL ORDER BY account_id, number DESC) e ON e.account_id = a.account_id
                 WHERE coalesce(e.balance_after, 0) <> w.balance OR coalesce(e.number, 0) <> w.lines",
    },
    Invariant {
        name: "wallet_entry_is_on_a_statement",
        sentence: "Every entry on a wallet is a line of its statement, and no other entry is.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.entries",
        broken: "SELECT format('entry %s of posting %s on a %s account has number %s', e.line, e.posting_id, a.kind, e.number)
                 FROM billing.entries e JOIN billing.accounts a USING (account_id)
                 WHERE (a.kind = 'buyer_wallet') <> (e.number IS NOT NULL)",
    },
    Invariant {
        name: "captured_hold_has_its_posting",
        sentence: "A captured hold has exactly one posting, which takes its amount from its wallet; a posting for a lead has its \
                   captured hold.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.holds WHERE state = 'captured'",
        broken: "SELECT format('hold %s of %s: posting %s takes %s from buyer %s', h.hold_id, h.amount, p.posting_id, e.amount,
                     a.buyer_id)
                 FROM billing.holds h
                 LEFT JOIN billing.postings p ON p.posting_id = h.posting_id AND p.assignment_id = h.hold_id
                 LEFT JOIN billing.entries e ON e.posting_id = p.posting_id AND e.number IS NOT NULL
                 LEFT JOIN billing.accounts a ON a.account_id = e.account_id
                 WHERE h.state = 'captured' AND (e.amount = -h.amount AND a.buyer_id = h.buyer_id) IS NOT TRUE
                 UNION ALL
                 SELECT format('posting %s pays for %s, whose hold is %s', p.posting_id, p.assignment_id, coalesce(h.state, 'missing'))
                 FROM billing.postings p LEFT JOIN billing.holds h ON h.posting_id = p.posting_id AND h.state = 'captured'
                 WHERE p.kind = 'lead_purchase' AND h.hold_id IS NULL
                 UNION ALL
                 SELECT format('assignment %s is paid by %s postings', assignment_id, count(*))
                 FROM billing.postings WHERE kind = 'lead_purchase' GROUP BY assignment_id HAVING count(*) > 1",
    },
    Invariant {
        name: "return_is_its_sale_reversed",
        sentence: "What a return gives back and takes back is what its sale took and gave, account by account.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.postings WHERE kind = 'lead_return'",
        broken: "SELECT format('assignment %s: %s stays on account %s (%s)', p.assignment_id, sum(e.amount), e.account_id, min(a.kind))
                 FROM billing.postings p JOIN billing.entries e USING (posting_id) LEFT JOIN billing.accounts a USING (account_id)
                 WHERE p.assignment_id IN (SELECT assignment_id FROM billing.postings WHERE kind = 'lead_return')
                     AND p.kind IN ('lead_purchase', 'lead_return')
                 GROUP BY p.assignment_id, e.account_id HAVING sum(e.amount) <> 0",

    },
    Invariant {
        name: "credit_has_its_posting",
        sentence: "Money added to a wallet was asked for once: every credit has one posting of its amount, and the other way round.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.credits",
        broken: "SELECT format('credit ''%s'' of %s to buyer %s: posting %s adds %s to buyer %s', c.credit_id, c.amount, c.buyer_id,
                     p.posting_id, e.amount, a.buyer_id)
                 FROM billing.credits c
                 FULL JOIN (SELECT * FROM billing.postings WHERE kind = 'credit') p USING (posting_id)
                 LEFT JOIN billing.entries e ON e.posting_id = p.posting_id AND e.number IS NOT NULL
                 LEFT JOIN billing.accounts a ON a.account_id = e.account_id
                 WHERE (c.amount = e.amount AND c.buyer_id = a.buyer_id) IS NOT TRUE",
    },
    Invariant {
        name: "spending_is_counted_right",
        sentence: "What a wallet is counted to have spent this week and month is the sum of its holds of that week and month that \
                   were not released, and whose sales were not paid back.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.wallets",
        broken: "SELECT format('wallet of buyer %s: week %s counted, %s spent; month %s counted, %s spent', buyer_id, spent_week,
                     week, spent_month, month)
                 FROM (
                     SELECT w.buyer_id, w.spent_week, w.spent_month,
                         coalesce(sum(h.amount) FILTER (WHERE h.week_start = w.week_start), 0) AS week,
                         coalesce(sum(h.amount) FILTER (WHERE h.month_start = w.month_start), 0) AS month
                     FROM billing.wallets w LEFT JOIN billing.holds h ON h.buyer_id = w.buyer_id AND h.state <> 'released'
                         AND h.hold_id NOT IN (SELECT assignment_id FROM billing.postings WHERE kind = 'lead_return')
                     GROUP BY w.buyer_id) AS counted
                 WHERE week <> spent_week OR month <> spent_month",
    },
];
