//! The audits of several services as one.

use std::{cmp::Reverse, collections::HashMap};

use leadflow_contracts::audit::{Entry, EntryKey, GetEntriesRequest, ListEntriesRequest, audit_client::AuditClient};
use leadflow_kernel::SellerId;
use leadflow_platform::grpc::Channel;
use tonic::{Code, Request, Status};

use super::services::Services;

/// The service that was asked, and how.
struct Trail {
    service: &'static str,
    client: AuditClient<Channel>,
}

/// Every audit there is about somebody.
pub struct Trails<'a> {
    services: &'a Services,
    trails: Vec<Trail>,
}

/// Which entries are wanted, of all of them, the newest first.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose; `None` is what belongs to no tenant.
    pub tenant: Option<SellerId>,
    /// At or after; 0: no bound.
    pub from_ms: i64,
    /// Before; 0: no bound.
    pub until_ms: i64,
    /// So many are left out first.
    pub skip: u32,
    /// Then so many are wanted; at most 200.
    pub limit: u32,
}

/// An entry and the service that wrote it down.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// It.
    pub service: &'static str,
    /// What it says.
    pub entry: Entry,
}

/// A page of them.
#[derive(Debug, Default)]
pub struct Page {
    /// The newest first.
    pub entries: Vec<Found>,
    /// How many there are, counted up to 10,000 of each service.
    pub total: u64,
    /// Services that could not be asked.
    pub missing: Vec<&'static str>,
}

impl<'a> Trails<'a> {
    /// Those that can have entries about `tenant`: what belongs to none is accounts' alone.
    #[must_use]
    pub fn of(services: &'a Services, tenant: Option<SellerId>) -> Self {
        let mut trails = services.audits();
        if tenant.is_none() {
            trails.retain(|(service, _)| *service == "accounts");
        }
        let trails = trails.into_iter().map(|(service, client)| Trail { service, client }).collect();
        Self { services, trails }
    }

    /// First only where entries are, then what those say that are on the page: a deep page costs little more than the
    /// first one, and what is not shown is not sent.
    ///
    /// # Errors
    /// When no service can be asked at all, or one refuses.
    pub async fn page(&self, asked: &Asked) -> Result<Page, Status> {
        let message = ListEntriesRequest {
            from_ms: asked.from_ms,
            until_ms: asked.until_ms,
            limit: asked.skip.saturating_add(asked.limit),
        };
        let listing = self.trails.iter().map(|trail| {
            let (mut client, request) = (trail.client.clone(), self.request(asked.tenant, message));
            async move { client.list_entries(request).await }
        });
        let mut page = Page::default();
        let mut keys = Vec::new();
        let mut last_refusal = None;
        for (at, answer) in futures::future::join_all(listing).await.into_iter().enumerate() {
            match answer {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    page.total += answer.total;
                    keys.extend(answer.keys.into_iter().map(|key| (at, key)));
                }
                Err(status) => {
                    self.leave_out(at, status, &mut page.missing, &mut last_refusal)?;
                }
            }
        }
        if page.missing.len() == self.trails.len()
            && let Some(refusal) = last_refusal
        {
            return Err(refusal);
        }
        let wanted = newest(keys, asked.skip as usize, asked.limit as usize);
        let getting = (0..self.trails.len()).map(|at| {
            let ids = wanted.iter().filter(|(of, _)| *of == at).map(|(_, key)| key.audit_id.clone()).collect();
            self.entries(at, asked.tenant, ids)
        });
        let mut entries: HashMap<String, Entry> = HashMap::new();
        for (at, answer) in futures::future::join_all(getting).await.into_iter().enumerate() {
            match answer {
                Ok(found) => entries.extend(found.into_iter().map(|entry| (entry.audit_id.clone(), entry))),
                Err(status) => self.leave_out(at, status, &mut page.missing, &mut last_refusal)?,
            }
        }
        page.entries = wanted
            .into_iter()
            .filter_map(|(at, key)| {
                let entry = entries.remove(&key.audit_id)?;
                Some(Found { service: self.trails[at].service, entry })
            })
            .collect();
        Ok(page)
    }

    /// A service that is away is left out; any other refusal is the caller's to hear of.
    fn leave_out(
        &self,
        at: usize,
        status: Status,
        missing: &mut Vec<&'static str>,
        last: &mut Option<Status>,
    ) -> Result<(), Status> {
        if !matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown) {
            return Err(status);
        }
        tracing::warn!(service = self.trails[at].service, code = ?status.code(), "an audit cannot be asked");
        if !missing.contains(&self.trails[at].service) {
            missing.push(self.trails[at].service);
        }
        *last = Some(status);
        Ok(())
    }

    /// One service's entries, asked for until all have come.
    async fn entries(&self, at: usize, tenant: Option<SellerId>, ids: Vec<String>) -> Result<Vec<Entry>, Status> {
        let mut client = self.trails[at].client.clone();
        let (mut found, mut rest) = (Vec::new(), &ids[..]);
        while !rest.is_empty() {
            let message = GetEntriesRequest { audit_ids: rest.to_vec() };
            let answer = client.get_entries(self.request(tenant, message)).await?.into_inner();
            found.extend(answer.entries);
            let considered = (answer.considered as usize).clamp(1, rest.len());
            rest = &rest[considered..];
        }
        Ok(found)
    }

    fn request<T>(&self, tenant: Option<SellerId>, message: T) -> Request<T> {
        match tenant {
            Some(tenant) => self.services.request(tenant, message),
            None => self.services.unbound(message),
        }
    }
}

/// Of the newest of each service, the newest of all.
fn newest(mut keys: Vec<(usize, EntryKey)>, skip: usize, limit: usize) -> Vec<(usize, EntryKey)> {
    keys.sort_by(|(_, a), (_, b)| Reverse((a.at_ms, &a.audit_id)).cmp(&Reverse((b.at_ms, &b.audit_id))));
    keys.into_iter().skip(skip).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_all_come_first_and_pages_do_not_overlap() {
        let key = |of, at_ms, id: &str| (of, EntryKey { audit_id: id.to_owned(), at_ms });
        let keys = vec![key(0, 9, "a"), key(0, 5, "b"), key(1, 9, "c"), key(1, 7, "d"), key(2, 1, "e")];
        let ids = |skip, limit| {
            newest(keys.clone(), skip, limit).into_iter().map(|(_, key)| key.audit_id).collect::<Vec<_>>()
        };
        assert_eq!(ids(0, 2), ["c", "a"], "of one moment, by id");
        assert_eq!(ids(2, 2), ["d", "b"]);
        assert_eq!(ids(4, 2), ["e"]);
        assert!(ids(6, 2).is_empty());
    }
}
