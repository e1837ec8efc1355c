-- Records.
INSERT INTO accounts.sellers VALUES
    ('seller-1', 1, 'Acme', 'ACTIVE', 'America/New_York', 'USD', 5, 0, sha256('x'), now(), now());
INSERT INTO accounts.buyers VALUES
    ('buyer-1', 'seller-1', 1, 'One', 'ACTIVE', 5, NULL, NULL, sha256('x'), now(), now()),
    ('buyer-2', 'seller-1', 1, 'Two', 'ACTIVE', 5, NULL, NULL, sha256('x'), now(), now());
INSERT INTO distribution.sellers VALUES ('seller-1', 1, 'Acme', 'active', 'America/New_York', 'USD');
INSERT INTO distribution.buyers VALUES
    ('buyer-1', 'seller-1', 1, 'One', 'active', 5), ('buyer-2', 'seller-1', 1, 'Two', 'active', 5);
INSERT INTO billing.sellers VALUES ('seller-1', 1, 'USD', 'America/New_York', 5);

-- A round robin with duplicates, and a broadcast.
INSERT INTO distribution.categories VALUES ('cat-1', 'seller-1', 1, 'Medicare', 'active', '[]');
INSERT INTO distribution.campaigns VALUES
    ('camp-1', 'seller-1', 'cat-1', 1, 'One each', '', 'active', 'round_robin', 25, 'USD', true, 30, '{email}', 'any', 72, now()),
    ('camp-2', 'seller-1', 'cat-1', 1, 'For all', '', 'active', 'broadcast', 10, 'USD', true, 30, '{email,phone}', 'all', 72, now());
INSERT INTO distribution.subscriptions VALUES
    ('sub-1', 'camp-1', 'buyer-1', 'seller-1', 1, 'active', 2, '{CA}', NULL, NULL, now()),
    ('sub-2', 'camp-2', 'buyer-1', 'seller-1', 1, 'active', NULL, '{}', NULL, NULL, now()),
    ('sub-3', 'camp-2', 'buyer-2', 'seller-1', 1, 'archived', 5, '{}', NULL, NULL, now()),
    -- Subscribed anew, with a lower cap, and got nothing since.
    ('sub-4', 'camp-2', 'buyer-2', 'seller-1', 1, 'active', 1, '{}', NULL, NULL, now());
INSERT INTO distribution.campaign_routing (campaign_id, seller_id) VALUES ('camp-1', 'seller-1'), ('camp-2', 'seller-1');

-- Leads: 1 sold to one, 2 sold to two, 3 for sale, 4 rejected, 5 expired, 6 a test, 7 sold later, 8 sold and returned.
INSERT INTO distribution.leads
    (lead_id, seller_id, supplier_id, campaign_id, category_id, received_at, decided_at, expires_at, outcome, test, buyers_assigned,
     price, currency, reason, state, quality, reference, body_hash, data, trace)
SELECT l.lead_id::uuid, 'seller-1', 'supplier-1', l.campaign_id::uuid, 'cat-1', '2026-03-02 15:00Z', '2026-03-02 15:00Z', l.expires_at::timestamptz,
    l.outcome, l.test, l.buyers, l.price, 'USD', l.reason, 'CA', '', '', '', l.data::json, ''
FROM (VALUES
    ('lead-1', 'camp-1', NULL, 2, false, 1, 25.00, '', '{"email": "a@example.com"}'),
    ('lead-2', 'camp-2', NULL, 2, false, 2, 20.00, '', '{"email": "a@example.com", "phone": "+12025550101"}'),
    ('lead-3', 'camp-1', '2026-03-05 15:00Z', 3, false, 0, NULL, 'no_eligible_buyer', '{"email": "b@example.com"}'),
    ('lead-4', 'camp-1', NULL, 4, false, 0, NULL, 'duplicate', '{"email": "a@example.com"}'),
    ('lead-5', 'camp-1', NULL, 5, false, 0, NULL, 'no_eligible_buyer', '{"email": "c@example.com"}'),
    ('lead-6', 'camp-1', NULL, 7, true, 1, 25.00, '', '{"email": "d@example.com"}'),
    ('lead-7', 'camp-2', NULL, 2, false, 1, 10.00, '', '{"email": "a@example.com", "phone": "+12025550102"}'),
    ('lead-8', 'camp-2', NULL, 2, false, 1, 10.00, '', '{"email": "a@example.com", "phone": "+12025550103"}')
) AS l (lead_id, campaign_id, expires_at, outcome, test, buyers, price, reason, data);
INSERT INTO distribution.assignments VALUES
    ('asg-1', 'lead-1', 'buyer-1', 'sub-1', 'camp-1', 'seller-1', 25, 'USD', '2026-03-02 15:00Z'),
    ('asg-2', 'lead-2', 'buyer-1', 'sub-2', 'camp-2', 'seller-1', 10, 'USD', '2026-03-02 15:00Z'),
    ('asg-3', 'lead-2', 'buyer-2', 'sub-3', 'camp-2', 'seller-1', 10, 'USD', '2026-03-02 15:00Z'),
    ('asg-4', 'lead-7', 'buyer-2', 'sub-3', 'camp-2', 'seller-1', 10, 'USD', '2026-03-03 04:59Z'),
    ('asg-5', 'lead-8', 'buyer-2', 'sub-3', 'camp-2', 'seller-1', 10, 'USD', '2026-03-02 16:00Z');
-- One that is undone and counts no more, and one that was asked for and stays.
INSERT INTO distribution.returns VALUES
    ('return-1', 'seller-1', 'asg-5', 'lead-8', 'buyer-2', 'camp-2', 'cat-1', 'supplier-1', 10, 'USD', '2026-03-02 15:00Z', '2026-03-02 16:00Z',
     'approved', 'wrong_number', '', '2026-03-02 17:00Z', NULL, '2026-03-02 18:00Z', NULL, '', false, true),
    ('return-2', 'seller-1', 'asg-4', 'lead-7', 'buyer-2', 'camp-2', 'cat-1', 'supplier-1', 10, 'USD', '2026-03-02 15:00Z', '2026-03-03 04:59Z',
     'rejected', 'wrong_number', '', '2026-03-03 17:00Z', NULL, '2026-03-03 18:00Z', NULL, 'no', false, false);
INSERT INTO distribution.subscription_rotation VALUES
    ('camp-1', 'sub-1', 1, 0, '2026-03-02', 1), ('camp-2', 'sub-2', 1, 0, '2026-03-02', 1),
    ('camp-2', 'sub-3', 3, 0, '2026-03-02', 2), ('camp-2', 'sub-4', 3, 0, '2026-03-02', 2);

-- Money: 100.00 and 50.00 put in, 35.00 and 20.00 spent, and 10.00 spent and given back.
INSERT INTO billing.wallets (buyer_id, seller_id, version, balance, held, spent_week, week_start, spent_month, month_start, lines) VALUES
    ('buyer-1', 'seller-1', 1, 65, 0, 35, '2026-03-02', 35, '2026-03-01', 3),
    ('buyer-2', 'seller-1', 1, 30, 0, 20, '2026-03-02', 20, '2026-03-01', 5);
INSERT INTO billing.accounts (account_id, kind, seller_id, buyer_id, currency) VALUES
    ('wallet-1', 'buyer_wallet', 'seller-1', 'buyer-1', 'USD'), ('wallet-2', 'buyer_wallet', 'seller-1', 'buyer-2', 'USD'),
    ('account-3', 'seller_earnings', 'seller-1', NULL, 'USD'), ('account-4', 'platform_fees', 'seller-1', NULL, 'USD'),
    ('account-5', 'external_funding', 'seller-1', NULL, 'USD');
INSERT INTO billing.postings VALUES
    ('post-1', 'credit', 'seller-1', NULL, '2026-03-02 14:00Z', ''), ('post-2', 'credit', 'seller-1', NULL, '2026-03-02 14:00Z', ''),
    ('post-3', 'lead_purchase', 'seller-1', 'asg-1', '2026-03-02 15:00Z', ''),
    ('post-4', 'lead_purchase', 'seller-1', 'asg-2', '2026-03-02 15:00Z', ''),
    ('post-5', 'lead_purchase', 'seller-1', 'asg-3', '2026-03-02 15:00Z', ''),
    ('post-6', 'lead_purchase', 'seller-1', 'asg-4', '2026-03-03 04:59Z', ''),
    ('post-7', 'lead_purchase', 'seller-1', 'asg-5', '2026-03-02 16:00Z', ''),
    ('post-8', 'lead_return', 'seller-1', 'asg-5', '2026-03-02 18:00Z', '');
INSERT INTO billing.entries VALUES
    ('post-1', 1, 'wallet-1', 100, 1, 100), ('post-1', 2, 'account-5', -100, NULL, NULL),
    ('post-2', 1, 'wallet-2', 50, 1, 50), ('post-2', 2, 'account-5', -50, NULL, NULL),
    ('post-3', 1, 'wallet-1', -25, 2, 75), ('post-3', 2, 'account-3', 23.75, NULL, NULL), ('post-3', 3, 'account-4', 1.25, NULL, NULL),
    ('post-4', 1, 'wallet-1', -10, 3, 65), ('post-4', 2, 'account-3', 9.50, NULL, NULL), ('post-4', 3, 'account-4', 0.50, NULL, NULL),
    ('post-5', 1, 'wallet-2', -10, 2, 40), ('post-5', 2, 'account-3', 9.50, NULL, NULL), ('post-5', 3, 'account-4', 0.50, NULL, NULL),
    ('post-6', 1, 'wallet-2', -10, 3, 30), ('post-6', 2, 'account-3', 9.50, NULL, NULL), ('post-6', 3, 'account-4', 0.50, NULL, NULL),
    ('post-7', 1, 'wallet-2', -10, 4, 20), ('post-7', 2, 'account-3', 9.50, NULL, NULL), ('post-7', 3, 'account-4', 0.50, NULL, NULL),
    ('post-8', 1, 'wallet-2', 10, 5, 30), ('post-8', 2, 'account-3', -9.50, NULL, NULL), ('post-8', 3, 'account-4', -0.50, NULL, NULL);
INSERT INTO billing.credits VALUES
    ('seller-1', 'first', 'buyer-1', 100, 'post-1', now()), ('seller-1', 'second', 'buyer-2', 50, 'post-2', now());
INSERT INTO billing.holds VALUES
    ('asg-1', 'buyer-1', 'seller-1', 'lead-1', 'camp-1', 25, 'captured', 1, now(), '2026-03-02', '2026-03-01', now(), 'post-3'),
    ('asg-2', 'buyer-1', 'seller-1', 'lead-2', 'camp-2', 10, 'captured', 2, now(), '2026-03-02', '2026-03-01', now(), 'post-4'),
    ('asg-3', 'buyer-2', 'seller-1', 'lead-2', 'camp-2', 10, 'captured', 1, now(), '2026-03-02', '2026-03-01', now(), 'post-5'),
    ('asg-4', 'buyer-2', 'seller-1', 'lead-7', 'camp-2', 10, 'captured', 1, now(), '2026-03-02', '2026-03-01', now(), 'post-6'),
    ('asg-5', 'buyer-2', 'seller-1', 'lead-8', 'camp-2', 10, 'captured', 1, now(), '2026-03-02', '2026-03-01', now(), 'post-7'),
    -- Of a decision that was not committed.
    ('asg-9', 'buyer-2', 'seller-1', 'lead-3', 'camp-1', 25, 'released', 1, now(), '2026-03-02', '2026-03-01', now(), NULL);

-- Card money: 100.00 and 60.00 were paid, 40.00 declined; 30.00 of the first went back, 10.00 were refused by Stripe, 20.00 are disputed; the
-- second was lost to a dispute.
INSERT INTO billing.wallets (buyer_id, seller_id, balance, lines, suspended, open_disputes) VALUES ('buyer-5', 'seller-1', 50, 8, true, 1);
INSERT INTO billing.accounts (account_id, kind, seller_id, buyer_id, currency) VALUES
    ('wallet-5', 'buyer_wallet', 'seller-1', 'buyer-5', 'USD'), ('debt-5', 'buyer_debt', 'seller-1', 'buyer-5', 'USD'),
    ('account-6', 'card_clearing', 'seller-1', NULL, 'USD'), ('account-7', 'disputed', 'seller-1', NULL, 'USD');
INSERT INTO billing.payments (payment_id, seller_id, buyer_id, kind, request_id, amount, currency, card_id, customer, payment_method, state,
    intent_id, received, refunded, disputed, posting_id, created_at, settled_at) VALUES
    ('pay-1', 'seller-1', 'buyer-5', 'top_up', 'r', 100, 'USD', 'card-1', '', '', 'succeeded', 'pi-1', 100, 30, 20, 'post-11', now(), now()),
    ('pay-2', 'seller-1', 'buyer-5', 'recharge', NULL, 60, 'USD', 'card-1', '', '', 'succeeded', 'pi-2', 60, 0, 60, 'post-12', now(), now()),
    ('pay-3', 'seller-1', 'buyer-5', 'top_up', 'd', 40, 'USD', 'card-1', '', '', 'declined', 'pi-3', 0, 0, 0, NULL, now(), now());
INSERT INTO billing.postings (posting_id, kind, seller_id, at, description, payment_id) VALUES
    ('post-11', 'top_up', 'seller-1', '2026-03-02 14:00Z', '', 'pay-1'), ('post-12', 'recharge', 'seller-1', '2026-03-02 14:00Z', '', 'pay-2'),
    ('post-13', 'card_refund', 'seller-1', '2026-03-02 14:00Z', '', 'pay-1'), ('post-14', 'dispute', 'seller-1', '2026-03-02 14:00Z', '', 'pay-2'),
    ('post-15', 'dispute_closed', 'seller-1', '2026-03-02 14:00Z', '', 'pay-2'), ('post-16', 'dispute', 'seller-1', '2026-03-02 14:00Z', '', 'pay-1'),
    ('post-17', 'card_refund', 'seller-1', '2026-03-02 14:00Z', '', 'pay-1'), ('post-18', 'card_refund_failed', 'seller-1', '2026-03-02 14:00Z', '', 'pay-1');
INSERT INTO billing.entries VALUES
    ('post-11', 1, 'wallet-5', 100, 1, 100), ('post-11', 2, 'account-6', -100, NULL, NULL),
    ('post-12', 1, 'wallet-5', 60, 2, 160), ('post-12', 2, 'account-6', -60, NULL, NULL),
    ('post-13', 1, 'wallet-5', -30, 3, 130), ('post-13', 2, 'account-6', 30, NULL, NULL),
    ('post-14', 1, 'wallet-5', -60, 4, 70), ('post-14', 2, 'account-7', 60, NULL, NULL),
    ('post-15', 1, 'wallet-5', 0, 5, 70), ('post-15', 2, 'account-7', -60, NULL, NULL), ('post-15', 3, 'account-6', 60, NULL, NULL),
    ('post-16', 1, 'wallet-5', -20, 6, 50), ('post-16', 2, 'account-7', 20, NULL, NULL),
    ('post-17', 1, 'wallet-5', -10, 7, 40), ('post-17', 2, 'account-6', 10, NULL, NULL),
    ('post-18', 1, 'wallet-5', 10, 8, 50), ('post-18', 2, 'account-6', -10, NULL, NULL);
INSERT INTO billing.refunds (refund_id, seller_id, buyer_id, payment_id, request_id, amount, state, posting_id, failed_posting, created_at) VALUES
    ('refund-1', 'seller-1', 'buyer-5', 'pay-1', 'r', 30, 'succeeded', 'post-13', NULL, now()),
    ('refund-2', 'seller-1', 'buyer-5', 'pay-1', 's', 10, 'failed', 'post-17', 'post-18', now());
INSERT INTO billing.disputes VALUES
    ('dp-1', 'seller-1', 'buyer-5', 'pay-2', 60, 'lost', 'post-14', 'post-15', now(), now()),
    ('dp-2', 'seller-1', 'buyer-5', 'pay-1', 20, 'open', 'post-16', NULL, now(), NULL);

-- Deliveries: one received at the second attempt, one given up, one that waits.
INSERT INTO notifier.buyers VALUES ('buyer-1', 'seller-1'), ('buyer-2', 'seller-1');
INSERT INTO notifier.endpoints VALUES
    ('ep-1', 'seller-1', 'buyer-1', 'http://localhost/1', '', '', true, '', NULL, '2026-01-01', now()),
    ('ep-2', 'seller-1', 'buyer-2', 'http://localhost/2', '', '', true, '', NULL, '2026-01-01', now());
INSERT INTO notifier.deliveries VALUES
    ('dlv-1', 'seller-1', 'buyer-1', 'lead-1', 'asg-1', 'ep-1', '', NULL, 'DELIVERED', 2, NULL, NULL, '', now(), now()),
    ('dlv-2', 'seller-1', 'buyer-1', 'lead-2', 'asg-2', 'ep-1', '', NULL, 'GAVE_UP', 1, NULL, NULL, 'HTTP 410', now(), now()),
    ('dlv-3', 'seller-1', 'buyer-2', 'lead-2', 'asg-3', 'ep-2', '', NULL, 'PENDING', 1, now() + interval '1 hour', NULL, '', now(), NULL),
    ('dlv-4', 'seller-1', 'buyer-2', 'lead-7', 'asg-4', 'ep-2', '', NULL, 'DELIVERED', 1, NULL, NULL, '', now(), now()),
    ('dlv-5', 'seller-1', 'buyer-2', 'lead-8', 'asg-5', 'ep-2', '', NULL, 'DELIVERED', 1, NULL, NULL, '', now(), now());
-- Mails: one sent, one of an administrator, one that waits. Messages: a text message of two parts that arrived, and one nobody wants.
INSERT INTO notifier.mails (event_id, mail_id, seller_id, kind, expires_at, status, sealed, due_at, created_at, ended_at) VALUES
    ('evt-1', 'mail-1', 'seller-1', 'k', now(), 'SENT', NULL, NULL, now(), now()),
    ('evt-2', 'mail-2', NULL, 'k', now(), 'SENT', NULL, NULL, now(), now()),
    ('evt-3', 'mail-3', 'seller-1', 'k', now(), 'WAITING', '', now(), now(), NULL);
INSERT INTO notifier.messages (message_id, seller_id, buyer_id, channel, kind, expires_at, status, units, created_at, ended_at) VALUES
    ('msg-1', 'seller-1', 'buyer-1', 'SMS', 'k', now(), 'DELIVERED', 2, now(), now()),
    ('msg-2', 'seller-1', 'buyer-1', 'EMAIL', 'k', now(), 'SUPPRESSED', 1, now(), now());

-- All that was sent is counted; the webhooks of March are posted, the rest has no price or is not due.
INSERT INTO billing.usage_seen SELECT id::uuid, '2026-03-02' FROM unnest(ARRAY['counteddlv-1', 'counteddlv-4', 'counteddlv-5', 'countedevt-1', 'countedmsg-1']) AS t (id);
INSERT INTO billing.usage_months VALUES
    ('seller-1', '2026-03-01', 'webhook', 'buyer-1', 0.013, 0, 1, 1, 1), ('seller-1', '2026-03-01', 'webhook', 'buyer-2', 0.01, 20, 2, 2, 2),
    ('seller-1', '2026-04-01', 'email', '00000000-0000-0000-0000-000000000000', 0.001, 15, 1, 1, 0);
INSERT INTO billing.usage_unpriced VALUES ('seller-1', '2026-04-01', 'sms', 'buyer-1', 20, 1, 2);
INSERT INTO billing.usage_postings VALUES ('seller-1', '2026-03-01', 'post-20', 3, 0.037, 0.04, '2026-04-02 05:00Z');
INSERT INTO billing.accounts (account_id, kind, seller_id, buyer_id, currency) VALUES ('account-8', 'platform_usage', 'seller-1', NULL, 'USD');
INSERT INTO billing.postings VALUES ('post-20', 'usage', 'seller-1', NULL, '2026-04-02 05:00Z', 'Messages of 2026-03');
INSERT INTO billing.entries VALUES ('post-20', 1, 'account-3', -0.04, NULL, NULL), ('post-20', 2, 'account-8', 0.04, NULL, NULL);

INSERT INTO notifier.attempts VALUES
    ('dlv-1', 1, now(), 3, 503, '', ''), ('dlv-1', 2, now(), 3, 200, '', ''), ('dlv-2', 1, now(), 3, 410, '', ''),
    ('dlv-3', 1, now(), 3, 0, 'time-out', ''), ('dlv-4', 1, now(), 3, 204, '', ''), ('dlv-5', 1, now(), 3, 200, '', '');
