//! Which change of a category would leave its campaigns without what they work by.

use crate::model::Status;

/// A campaign of the category.
#[derive(Debug, Clone, Copy)]
pub struct Dependent<'a> {
    /// For people.
    pub name: &'a str,
    /// What is archived depends on nothing.
    pub status: Status,
    /// The fields by which it knows a lead again; none when it does not look.
    pub fields: &'a [String],
}

/// Why a category cannot be changed like that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Orphaned {
    /// It is to be archived, but has campaigns.
    #[error("campaigns of this category are not archived ({}): archive them first", list(.campaigns))]
    Category {
        /// Their names, in their order.
        campaigns: Vec<String>,
    },
    /// A field is to go, or to be of another type, but a campaign knows duplicates by it.
    #[error("campaigns know duplicates by the field {field} ({}): change their rule first", list(.campaigns))]
    Field {
        /// The field.
        field: String,
        /// Their names, in their order.
        campaigns: Vec<String>,
    },
}

impl Orphaned {
    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Category { .. } => "category_in_use",
            Self::Field { .. } => "field_in_use",
        }
    }
}

/// The first few, and how many more there are.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if let Some(more) = names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// Judges a change of a category's status to `status` and of its fields (name and type) from `before` to `after`.
///
/// # Errors
/// [`Orphaned`] when a campaign that is not archived would suffer.
pub fn category_change(
    status: Status,
    before: &[(&str, i32)],
    after: &[(&str, i32)],
    campaigns: &[Dependent<'_>],
) -> Result<(), Orphaned> {
    let live = || campaigns.iter().filter(|campaign| campaign.status != Status::Archived);
    if status == Status::Archived && live().next().is_some() {
        return Err(Orphaned::Category { campaigns: live().map(|one| one.name.to_owned()).collect() });
    }
    for (field, _) in before.iter().filter(|field| !after.contains(field)) {
        let by_it = live().filter(|campaign| campaign.fields.iter().any(|name| name == field));
        let campaigns: Vec<String> = by_it.map(|one| one.name.to_owned()).collect();
        if !campaigns.is_empty() {
            return Err(Orphaned::Field { field: (*field).to_owned(), campaigns });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: [(&str, i32); 3] = [("email", 2), ("phone", 3), ("age", 4)];

    fn judge(status: Status, after: &[(&str, i32)], of: Status, rule: &[&str]) -> Result<(), Orphaned> {
        let fields: Vec<String> = rule.iter().map(|&name| name.to_owned()).collect();
        category_change(status, &BEFORE, after, &[Dependent { name: "California", status: of, fields: &fields }])
    }

    #[test]
    fn a_category_with_campaigns_is_not_archived() {
        for live in [Status::Active, Status::Paused] {
            let refused = judge(Status::Archived, &BEFORE, live, &[]).unwrap_err();
            assert_eq!(refused.code(), "category_in_use");
            assert!(refused.to_string().contains("California"), "{refused}");
            assert!(judge(Status::Paused, &BEFORE, live, &["email"]).is_ok());
        }
        assert!(judge(Status::Archived, &[], Status::Archived, &["email"]).is_ok());
    }

    #[test]
    fn a_field_that_tells_duplicates_stays_what_it_is() {
        let without = [("phone", 3), ("age", 4)];
        let retyped = [("email", 1), ("phone", 3), ("age", 4)];
        for after in [&without[..], &retyped[..]] {
            let refused = judge(Status::Active, after, Status::Active, &["phone", "email"]).unwrap_err();
            assert_eq!(refused.code(), "field_in_use");
            assert!(refused.to_string().contains("email") && refused.to_string().contains("California"), "{refused}");
            assert!(judge(Status::Active, after, Status::Active, &["phone"]).is_ok());
            assert!(judge(Status::Active, after, Status::Active, &[]).is_ok());
            assert!(judge(Status::Active, after, Status::Archived, &["email"]).is_ok());
        }
        let more = [("age", 4), ("new", 1), ("phone", 3), ("email", 2)];
        assert!(judge(Status::Active, &more, Status::Active, &["phone", "email", "never defined"]).is_ok());
    }

    #[test]
    fn many_campaigns_are_counted() {
        let names: Vec<String> = (1..=5).map(|n| format!("c{n}")).collect();
        let campaigns: Vec<Dependent<'_>> =
            names.iter().map(|name| Dependent { name, status: Status::Active, fields: &[] }).collect();
        let refused = category_change(Status::Archived, &BEFORE, &BEFORE, &campaigns).unwrap_err();
        assert!(refused.to_string().contains("(c1, c2, c3 and 2 more)"), "{refused}");
    }
}
