//! Date: RFC 5322 (3.3), and what else programs write there.

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::Offset;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The pieces of a date, in the order they stand there.
#[derive(Default)]
struct Pieces {
    /// Plain numbers with how many digits they were written.
    numbers: Vec<(u32, usize)>,
    month: Option<i8>,
    /// Hours, minutes, seconds.
    time: Option<(u32, u32, u32)>,
    /// Seconds east of Greenwich.
    zone: Option<i32>,
}

/// When that was. `None` for what is no date, and for one outside 1970 to 2200.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let mut pieces = Pieces::default();
    for token in tokens(text) {
        pieces.take(token);
    }
    let at = pieces.timestamp()?;
    (0..7_258_118_400).contains(&at.as_second()).then_some(at)
}

/// Words of letters, digits and signs, without comments. `T` within an ISO date divides, as white space does.
fn tokens(text: &str) -> Vec<&str> {
    let text = text.get(..text.floor_char_boundary(128)).unwrap_or_default();
    let text = text.split('(').next().unwrap_or_default();
    let mut tokens = Vec::new();
    for token in text.split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | ';')) {
        let is_iso =
            token.len() > 10 && token.as_bytes()[..4].iter().all(u8::is_ascii_digit) && token.as_bytes().get(10) == Some(&b'T');
        match token.split_at_checked(10) {
            Some((day, time)) if is_iso => tokens.extend([day, &time[1..]]),
            _ => tokens.push(token),
        }
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

impl Pieces {
    fn take(&mut self, token: &str) {
        if self.time.is_none() && token.contains(':') {
            self.take_time(token);
        } else if token.starts_with(['+', '-']) {
            self.zone = self.zone.or_else(|| offset(token));
        } else if token.starts_with(|letter: char| letter.is_ascii_digit()) {
            // 2024-01-31, 31-Jan-2024, 31.01.2024, 2024/01/31
            for part in token.split(['-', '/', '.']) {
                self.take_word(part);
            }
        } else {
            self.take_word(token);
        }
    }

    /// `13:05`, `13:05:45`, `13:05:45.123`, `13:05:45Z`, `13:05:45+03:00`, `01:05PM`.
    fn take_time(&mut self, token: &str) {
        let end = token.find(|letter: char| !letter.is_ascii_digit() && !matches!(letter, ':' | '.')).unwrap_or(token.len());
        let (clock, zone) = token.split_at(end);
        let mut parts = clock.split(':').map(|part| part.split('.').next().and_then(|part| part.parse::<u32>().ok()));
        let (Some(Some(hour)), Some(Some(minute))) = (parts.next(), parts.next()) else { return };
        let second = parts.next().flatten().unwrap_or(0);
        self.time = Some((hour, minute, second));
        if zone.starts_with(['+', '-']) {
            self.zone = offset(zone);
        } else {
            self.take_word(zone);
        }
    }

    fn take_word(&mut self, word: &str) {
        if let Ok(number) = word.parse::<u32>() {
            if self.numbers.len() < 4 {
                self.numbers.push((number, word.len()));
            }
            return;
        }
        let word = word.to_ascii_lowercase();
        let month = word.get(..3).and_then(|start| MONTHS.iter().position(|month| *month == start));
        if let Some(month) = month.and_then(|month| i8::try_from(month + 1).ok())
            && self.month.is_none()
        {
            self.month = Some(month);
        } else if word == "pm" || word == "am" {
            if let Some((hour, _, _)) = &mut self.time {
                *hour = *hour % 12 + if word == "pm" { 12 } else { 0 };
            }
        } else if self.time.is_some() && self.zone.is_none() {
            self.zone = named(&word);
        }
    }

    fn timestamp(&self) -> Option<Timestamp> {
        let numbers: Vec<u32> = self.numbers.iter().map(|(number, _)| *number).collect();
        let year_first = self.numbers.first().is_some_and(|(_, digits)| *digits == 4);
        let (year, month, day) = match (self.month, numbers.as_slice()) {
            (Some(month), [year, day, ..]) if year_first => (*year, month, *day),
            (Some(month), [day, year, ..]) => (*year, month, *day),
            (None, [year, month, day, ..]) if year_first => (*year, i8::try_from(*month).ok()?, *day),
            (None, [day, month, year, ..]) => (*year, i8::try_from(*month).ok()?, *day),
            _ => return None,
        };
        // RFC 5322, 4.3: two digits are of 1950 to 2049, three count from 1900.
        let year = match year {
            0..=49 => 2000 + year,
            50..=999 => 1900 + year,
            _ => year,
        };
        let (hour, minute, second) = self.time.unwrap_or_default();
        let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
        // Leap seconds, and clocks that count to 60.
        let second = i8::try_from(second.min(59)).ok()?;
        let day =
            date(1970, 1, 1).with().year(i16::try_from(year).ok()?).month(month).day(i8::try_from(day).ok()?).build().ok()?;
        let at = day.to_datetime(jiff::civil::Time::new(hour, minute, second, 0).ok()?);
        Offset::from_seconds(self.zone.unwrap_or(0)).ok()?.to_timestamp(at).ok()
    }
}

/// `+0300`, `-03:30`, `+3`. Minutes beyond an hour are counted all the same: `+0580` is written by real programs.
fn offset(token: &str) -> Option<i32> {
    let sign = if token.starts_with('-') { -1 } else { 1 };
    let digits: String = token
        .chars()
        .skip(1)
        .take_while(|letter| letter.is_ascii_digit() || *letter == ':')
        .filter(char::is_ascii_digit)
        .collect();
    if digits.len() > 4 {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    let (hours, minutes) = if digits.len() <= 2 { (number, 0) } else { (number / 100, number % 100) };
    (hours < 24).then_some(sign * (hours * 3600 + minutes * 60))
}

/// The zones RFC 5322 (4.3) knows by name; any other is taken for Greenwich, as it says.
fn named(word: &str) -> Option<i32> {
    let hours = match word {
        "ut" | "utc" | "gmt" | "z" => 0,
        "edt" => -4,
        "est" | "cdt" => -5,
        "cst" | "mdt" => -6,
        "mst" | "pdt" => -7,
        "pst" => -8,
        "cet" => 1,
        "cest" | "eet" => 2,
        "eest" | "msk" => 3,
        _ => return None,
    };
    Some(hours * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_however_they_are_written() {
        for (text, expected) in [
            ("Wed, 13 Sep 2017 13:05:45 +0200", "2017-09-13T11:05:45Z"),
            ("Wed, 13 Sep 2017 13:05:45 +0200 (CEST)", "2017-09-13T11:05:45Z"),
            ("13 Sep 2017 13:05 -0330", "2017-09-13T16:35:00Z"),
            ("Wed, 13 Sep 17 13:05:45 GMT", "2017-09-13T13:05:45Z"),
            ("Wed, 13 Sep 99 13:05:45 GMT", "1999-09-13T13:05:45Z"),
            ("Fri, 30 Jan 2012 11:30:01 PST", "2012-01-30T19:30:01Z"),
            ("Wed Sep 13 13:05:45 2017", "2017-09-13T13:05:45Z"),
            ("2017-09-13T13:05:45+02:00", "2017-09-13T11:05:45Z"),
            ("2017-09-13T13:05:45.123Z", "2017-09-13T13:05:45Z"),
            ("2017-09-13 13:05:45 +0300", "2017-09-13T10:05:45Z"),
            ("13.09.2017 13:05:45", "2017-09-13T13:05:45Z"),
            ("13-Sep-2017 13:05:45 +0200", "2017-09-13T11:05:45Z"),
            ("Wed, 13 September 2017 01:05:45 PM +0200", "2017-09-13T11:05:45Z"),
            ("Sat, 31 Aug 2013 20:08:23 +0580", "2013-08-31T13:48:23Z"),
            ("Wed, 13 Sep 2017, 13:05:60 +0000", "2017-09-13T13:05:59Z"),
            ("13 Sep 2017 13:05:45 +99999999999", "2017-09-13T13:05:45Z"),
            ("  Wed ,13 Sep 2017 13:05:45 Unknown/Zone", "2017-09-13T13:05:45Z"),
        ] {
            assert_eq!(read(text).map(|at| at.to_string()).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "%date%",
            "yesterday",
            "32 Sep 2017 10:00:00",
            "13 Sep 2017 25:00:00",
            "1 Jan 1600 00:00:00",
            "0 0 0",
            "99999999999",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
