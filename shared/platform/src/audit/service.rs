//! The gRPC service `Audit`, as every service that has a trail serves it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadflow_contracts::{
    audit::{
        self as proto, GetEntriesRequest, GetEntriesResponse, ListEntriesRequest, ListEntriesResponse,
        audit_server::{self, AuditServer},
    },
    id, time_from_ms, time_to_ms,
};
use leadflow_kernel::{AuditId, SellerId};
use prost::Message as _;
use sqlx::PgPool;
use tonic::{Code, Request, Response, Status, service::interceptor::InterceptedService};

use super::{Entry, Trail};
use crate::{
    db::Tenants,
    grpc::{Guard, ServiceToken, guard, optional_tenant, status},
};

/// The most keys of one answer.
const KEYS: u32 = 10_000;
/// The most entries asked for at once.
const ENTRIES: usize = 200;
/// What an answer may weigh: well below what a client takes (4 MiB).
const BYTES: usize = 2 * 1024 * 1024;

/// Answers for the changes in one schema.
pub struct Service {
    pool: PgPool,
    tenants: Tenants,
    trail: Trail,
}

/// The service for the audit of `schema`, for callers with the token; `role` is the schema's tenant role.
#[must_use]
pub fn server(
    pool: PgPool,
    schema: &'static str,
    role: &'static str,
    token: &ServiceToken,
) -> InterceptedService<AuditServer<Service>, Guard> {
    let tenants = Tenants::new(pool.clone(), role);
    AuditServer::with_interceptor(Service { pool, tenants, trail: Trail::new(schema) }, guard(token))
}

#[tonic::async_trait]
impl audit_server::Audit for Service {
    async fn list_entries(
        &self,
        request: Request<ListEntriesRequest>,
    ) -> Result<Response<ListEntriesResponse>, Status> {
        let tenant = optional_tenant(&request)?;
        let ListEntriesRequest { from_ms, until_ms, limit } = request.into_inner();
        if !(1..=KEYS).contains(&limit) {
            return Err(invalid(format_args!("limit must be 1 to {KEYS}")));
        }
        let listed = self.list(tenant, time_from_ms(from_ms), time_from_ms(until_ms), limit).await;
        Ok(Response::new(listed.map_err(|error| away(&error))?))
    }

    async fn get_entries(&self, request: Request<GetEntriesRequest>) -> Result<Response<GetEntriesResponse>, Status> {
        let tenant = optional_tenant(&request)?;
        let asked = request.into_inner().audit_ids;
        if asked.len() > ENTRIES {
            return Err(invalid(format_args!("audit_ids must have at most {ENTRIES} entries")));
        }
        let ids = asked.iter().map(|text| id(text, "audit_ids")).collect::<Result<Vec<AuditId>, _>>();
        let ids = ids.map_err(|error| invalid(&error))?;
        let found = self.get(tenant, &ids).await.map_err(|error| away(&error))?;
        Ok(Response::new(answer(&ids, found)))
    }
}

impl Service {
    async fn list(
        &self,
        tenant: Option<SellerId>,
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<ListEntriesResponse, sqlx::Error> {
        let (keys, total) = match tenant {
            Some(seller) => {
                let mut tx = self.tenants.begin(seller).await?;
                self.trail.keys(&mut tx, tenant, from, until, limit).await?
            }
            None => self.trail.keys(&mut *self.pool.acquire().await?, tenant, from, until, limit).await?,
        };
        let key = |key: super::EntryKey| proto::EntryKey { audit_id: key.id.to_string(), at_ms: time_to_ms(key.at) };
        Ok(ListEntriesResponse { keys: keys.into_iter().map(key).collect(), total })
    }

    async fn get(&self, tenant: Option<SellerId>, ids: &[AuditId]) -> Result<Vec<Entry>, sqlx::Error> {
        match tenant {
            Some(seller) => {
                let mut tx = self.tenants.begin(seller).await?;
                self.trail.entries(&mut tx, tenant, ids).await
            }
            None => self.trail.entries(&mut *self.pool.acquire().await?, tenant, ids).await,
        }
    }
}

/// As many as fit, in the order asked for.
fn answer(ids: &[AuditId], found: Vec<Entry>) -> GetEntriesResponse {
    let mut found: HashMap<AuditId, Entry> = found.into_iter().map(|entry| (entry.id, entry)).collect();
    let mut answer = GetEntriesResponse::default();
    let mut weight = 0;
    for id in ids {
        if let Some(entry) = found.remove(id) {
            let entry = entry_to_proto(entry);
            weight += entry.encoded_len();
            if weight > BYTES && !answer.entries.is_empty() {
                break;
            }
            answer.entries.push(entry);
        }
        answer.considered += 1;
    }
    answer
}

fn entry_to_proto(entry: Entry) -> proto::Entry {
    let json = |value: Option<serde_json::Value>| value.map_or_else(String::new, |value| value.to_string());
    proto::Entry {
        audit_id: entry.id.to_string(),
        at_ms: time_to_ms(entry.at),
        actor_user_id: entry.actor.map_or_else(String::new, |actor| actor.user.to_string()),
        actor_role: entry.actor.and_then(|actor| actor.role).map_or_else(String::new, |role| role.code().to_owned()),
        action: entry.action.into_owned(),
        subject_id: entry.subject_id,
        before_json: json(entry.before),
        after_json: json(entry.after),
    }
}

fn invalid(sentence: impl std::fmt::Display) -> Status {
    status(Code::InvalidArgument, "invalid_field", sentence)
}

/// Reading again later may do.
fn away(error: &sqlx::Error) -> Status {
    tracing::warn!(%error, "the audit cannot be read");
    status(Code::Unavailable, "database_unavailable", "the database cannot be reached; try again")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(id: AuditId, bytes: usize) -> Entry {
        Entry {
            id,
            at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            actor: None,
            action: "category.updated".into(),
            subject_id: "cat".to_owned(),
            before: None,
            after: Some(json!("x".repeat(bytes))),
        }
    }

    #[test]
    fn an_answer_keeps_the_order_and_its_weight_and_has_at_least_one() {
        let ids: Vec<AuditId> = (0..4).map(|_| AuditId::new()).collect();
        let found = vec![entry(ids[2], BYTES / 2), entry(ids[0], BYTES + 1), entry(ids[3], BYTES)];
        let first = answer(&ids, found.clone());
        assert_eq!(first.considered, 2, "the first alone is too heavy, the second is not there");
        assert_eq!(first.entries[0].audit_id, ids[0].to_string());
        let rest = answer(&ids[2..], found.clone());
        assert_eq!((rest.considered, rest.entries.len()), (1, 1));
        assert_eq!(answer(&ids[3..], found).considered, 1);
    }
}
