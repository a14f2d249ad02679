//! The hours in which somebody is there to answer.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// When a company is open, by its own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    zone: TimeZone,
    shifts: Vec<Shift>,
}

/// From one time of day to another on some days; over midnight if it ends before it begins, all day if the two are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shift {
    /// From Monday on.
    days: [bool; 7],
    from: Time,
    to: Time,
}

/// The days as people write them, from Monday on.
const DAYS: [(&str, &str); 7] =
    [("mo", "пн"), ("tu", "вт"), ("we", "ср"), ("th", "чт"), ("fr", "пт"), ("sa", "сб"), ("su", "вс")];

impl Hours {
    /// Reads `Mo-Fr 09:00-18:00, Sa 10:00-15:00`; without days: every day. The error is for people.
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Self, String> {
        let shifts = text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
        let shifts: Vec<Shift> = shifts
            .map(|part| Shift::parse(part).ok_or_else(|| format!("{part:?}: write days and hours, as \"Mo-Fr 09:00-18:00\"")))
            .collect::<Result<_, _>>()?;
        Ok(Self { zone: zone.clone(), shifts })
    }

    /// Whether somebody is there at a moment.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let now = at.to_zoned(self.zone.clone());
        let today = usize::from(now.weekday().to_monday_zero_offset().unsigned_abs());
        self.shifts.iter().any(|shift| shift.holds(today, now.time()))
    }
}

impl Shift {
    fn parse(text: &str) -> Option<Self> {
        let (days, times) = text.rsplit_once(char::is_whitespace).unwrap_or(("", text));
        let (from, to) = times.split_once(['-', '–'])?;
        Some(Self { days: days_of(days)?, from: time(from)?, to: time(to)? })
    }

    fn holds(&self, today: usize, time: Time) -> bool {
        let yesterday = (today + 6) % 7;
        if self.from < self.to {
            return self.days[today] && time >= self.from && time < self.to;
        }
        (self.days[today] && time >= self.from) || (self.days[yesterday] && time < self.to)
    }
}

/// `Mo-Fr`, `Sa`, `Mo We Fr`; over the end of the week if the first comes after the last. Nothing: every day.
fn days_of(text: &str) -> Option<[bool; 7]> {
    if text.trim().is_empty() {
        return Some([true; 7]);
    }
    let mut days = [false; 7];
    for part in text.split_whitespace() {
        let (from, to) = part.split_once(['-', '–']).unwrap_or((part, part));
        let (mut at, to) = (day(from)?, day(to)?);
        days[to] = true;
        while at != to {
            days[at] = true;
            at = (at + 1) % 7;
        }
    }
    Some(days)
}

fn day(text: &str) -> Option<usize> {
    let start: String = text.trim().chars().take(2).flat_map(char::to_lowercase).collect();
    DAYS.iter().position(|(english, russian)| start == *english || start == *russian)
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
    // The end of a day is the beginning of the next.
    if (hour, minute) == (24, 0) { Some(Time::midnight()) } else { Time::new(hour, minute, 0, 0).ok() }
}

/// As it is written in the configuration.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, shift) in self.shifts.iter().enumerate() {
            let days: Vec<&str> = (0..7).filter(|day| shift.days[*day]).map(english).collect();
            let mark = if index == 0 { "" } else { ", " };
            let (from, to) = (shift.from.strftime("%H:%M"), shift.to.strftime("%H:%M"));
            write!(f, "{mark}{} {from}-{to}", days.join(" "))?;
        }
        Ok(())
    }
}

fn english(day: usize) -> &'static str {
    const NAMES: [&str; 7] = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];
    NAMES.get(day).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(hours: &str, at: &str) -> bool {
        Hours::parse(hours, &TimeZone::get("Europe/Moscow").unwrap()).unwrap().is_open(at.parse().unwrap())
    }

    #[test]
    fn a_week_of_work() {
        // 2026-11-20 is a Friday; Moscow is three hours ahead.
        let week = "Mo-Fr 09:00-18:00, Sa 10:00-15:00";
        assert!(!open(week, "2026-11-20T05:59:59Z"));
        assert!(open(week, "2026-11-20T06:00:00Z"));
        assert!(!open(week, "2026-11-20T15:00:00Z"));
        assert!(open(week, "2026-11-21T11:59:59Z"));
        assert!(!open(week, "2026-11-21T12:00:00Z"));
        assert!(!open(week, "2026-11-22T10:00:00Z"));
    }

    #[test]
    fn nights_whole_days_and_russian_names() {
        assert!(open("Пт-Сб 20:00-04:00", "2026-11-20T18:00:00Z"));
        assert!(open("Пт-Сб 20:00-04:00", "2026-11-22T00:59:59Z"), "the night after Saturday");
        assert!(!open("Пт-Сб 20:00-04:00", "2026-11-22T01:00:00Z"));
        assert!(open("00:00-24:00", "2026-11-22T20:59:59Z"));
        assert!(open("Sa-Mo 10:00-11:00", "2026-11-22T07:30:00Z"), "over the end of the week");
        assert!(!open("", "2026-11-22T07:30:00Z"));
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        let zone = TimeZone::UTC;
        for text in ["Mo Tu We Th Fr 09:00-18:00, Sa 10:00-15:00", "Su 22:00-04:00"] {
            let hours = Hours::parse(text, &zone).unwrap();
            assert_eq!(hours.to_string(), text);
        }
        for bad in ["Mo", "Xx 09:00-18:00", "Mo-Fr 9-18", "Mo 25:00-26:00", "Mo-Fr 09:00"] {
            assert!(Hours::parse(bad, &zone).is_err(), "{bad}");
        }
    }
}
