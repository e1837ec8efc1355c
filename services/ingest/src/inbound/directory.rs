//! Directory records into the gateway's memory.

use std::sync::Arc;

use leadflow_contracts::{
    ConvertError, Event as _,
    common::{FieldDef, FieldType, Status},
    events::{CampaignChanged, CategoryChanged, SellerChanged, SupplierChanged},
    id,
};
use leadflow_ingest_domain::{Field, FieldKind, Schema};
use leadflow_messaging::{Message, directory};
use tokio::sync::Semaphore;

use crate::store::{
    directory::{Campaign, Category, Directory, Supplier},
    limit::RateLimit,
};

/// The records the gateway follows.
pub const NOUNS: [&str; 4] = ["seller", "supplier", "category", "campaign"];

/// Limits that records do not name.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Posts a second of a supplier.
    pub supplier: u32,
    /// Posts a second of all suppliers of a seller.
    pub seller: u32,
    /// Bodies of one supplier on their way here at once.
    pub bodies: usize,
}

/// Applies records to a [`Directory`].
pub struct Records {
    directory: Arc<Directory>,
    limits: Limits,
}

impl Records {
    /// Into this directory.
    #[must_use]
    pub const fn new(directory: Arc<Directory>, limits: Limits) -> Self {
        Self { directory, limits }
    }

    fn read(&self, message: &Message) -> Result<(), Unreadable> {
        match message.kind.as_str() {
            SellerChanged::TYPE => self.seller(&message.decode()?)?,
            SupplierChanged::TYPE => self.supplier(&message.decode()?)?,
            CategoryChanged::TYPE => self.category(&message.decode()?)?,
            CampaignChanged::TYPE => self.campaign(&message.decode()?)?,
            _ => {}
        }
        Ok(())
    }

    fn seller(&self, record: &SellerChanged) -> Result<(), ConvertError> {
        let per_second = or_default(record.posts_per_second, self.limits.seller);
        let id = id(&record.seller_id, "seller_id")?;
        self.directory.put_seller(id, record.version, record.status() == Status::Active, per_second);
        Ok(())
    }

    fn supplier(&self, record: &SupplierChanged) -> Result<(), ConvertError> {
        let per_second = or_default(record.posts_per_second, self.limits.supplier);
        let hash = |sha256: &[u8]| <[u8; 32]>::try_from(sha256).ok();
        self.directory.put_supplier(Supplier {
            id: id(&record.supplier_id, "supplier_id")?,
            seller_id: id(&record.seller_id, "seller_id")?,
            version: record.version,
            active: record.status() == Status::Active,
            categories: record.category_ids.iter().map(|text| id(text, "category_ids")).collect::<Result<_, _>>()?,
            keys: record.keys.iter().filter_map(|key| Some((hash(&key.sha256)?, key.expires_at_ms))).collect(),
            posts: Arc::new(RateLimit::new(per_second)),
            bodies: Arc::new(Semaphore::new(self.limits.bodies)),
            lookups: Arc::new(RateLimit::new(per_second)),
        });
        Ok(())
    }

    fn category(&self, record: &CategoryChanged) -> Result<(), ConvertError> {
        self.directory.put_category(Category {
            id: id(&record.category_id, "category_id")?,
            version: record.version,
            schema: Schema::new(record.fields.iter().map(field).collect()),
        });
        Ok(())
    }

    fn campaign(&self, record: &CampaignChanged) -> Result<(), ConvertError> {
        self.directory.put_campaign(Campaign {
            id: id(&record.campaign_id, "campaign_id")?,
            seller_id: id(&record.seller_id, "seller_id")?,
            category_id: id(&record.category_id, "category_id")?,
            version: record.version,
        });
        Ok(())
    }
}

impl directory::Sink for Records {
    fn apply(&mut self, message: &Message) {
        if let Err(error) = self.read(message) {
            tracing::error!(subject = message.subject, %error, "a directory record cannot be read; the one before it stays");
        }
    }

    fn loaded(&mut self) {
        self.directory.set_loaded();
    }
}

#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Decode(#[from] prost::DecodeError),
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

fn field(def: &FieldDef) -> Field {
    let kind = match def.r#type() {
        FieldType::Email => FieldKind::Email,
        FieldType::Phone => FieldKind::Phone,
        FieldType::Number => FieldKind::Number,
        FieldType::Boolean => FieldKind::Boolean,
        FieldType::Date => FieldKind::Date,
        FieldType::State => FieldKind::State,
        FieldType::Zip => FieldKind::Zip,
        FieldType::Url => FieldKind::Url,
        FieldType::Select => FieldKind::Select(def.options.clone()),
        // A type of a newer version is not ours to check, but its value is still text or nothing.
        FieldType::Text | FieldType::Unspecified => FieldKind::Text,
    };
    Field { name: def.name.clone(), kind, required: def.required }
}

const fn or_default(per_second: u32, default: u32) -> u32 {
    if per_second == 0 { default } else { per_second }
}
