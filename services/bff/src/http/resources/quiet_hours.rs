//! Hours in which a phone shall be silent, as people write them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// From this minute on, until that one; over midnight where the second is not later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct QuietHours {
    /// `HH:MM`, 00:00 to 23:59, e.g. 22:00.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    from: String,
    /// Likewise, e.g. 07:00.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    until: String,
}

impl QuietHours {
    /// Of two minutes after midnight; the same twice is none.
    pub(super) fn of(from: u32, until: u32) -> Option<Self> {
        let text = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        (from != until).then(|| Self { from: text(from), until: text(until) })
    }

    /// The minutes after midnight.
    ///
    /// # Errors
    /// The field that is wrong, and how.
    pub(super) fn minutes(&self) -> Result<(u32, u32), (&'static str, &'static str)> {
        let read = |field, text| minute(text).ok_or((field, "must be a time of day such as 22:00"));
        let (from, until) = (read("quietHours.from", &self.from)?, read("quietHours.until", &self.until)?);
        if from == until {
            return Err(("quietHours.until", "must be another time than from; null for no quiet hours"));
        }
        Ok((from, until))
    }
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let two = |text: &str, below| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number: &u32| digits && *number < below)
    };
    Some(two(hour, 24)? * 60 + two(minute, 60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, until: &str) -> QuietHours {
        QuietHours { from: from.to_owned(), until: until.to_owned() }
    }

    #[test]
    fn minutes_are_read_as_they_are_written() {
        for (from, until) in [(0, 1), (1_320, 420), (1_439, 0), (605, 606)] {
            assert_eq!(QuietHours::of(from, until).unwrap().minutes(), Ok((from, until)));
        }
        assert_eq!(QuietHours::of(1_320, 420), Some(hours("22:00", "07:00")));
        assert_eq!((QuietHours::of(0, 0), QuietHours::of(60, 60)), (None, None));
    }

    #[test]
    fn what_is_no_time_of_day_is_named() {
        for wrong in ["24:00", "7:00", "07:60", "0700", "07:00:00", "+7:00", "", "ab:cd", "07:0x", "٠٧:00"] {
            assert_eq!(hours(wrong, "08:00").minutes().unwrap_err().0, "quietHours.from", "{wrong}");
            assert_eq!(hours("08:00", wrong).minutes().unwrap_err().0, "quietHours.until", "{wrong}");
        }
        assert_eq!(hours("08:00", "08:00").minutes().unwrap_err().0, "quietHours.until");
    }
}
