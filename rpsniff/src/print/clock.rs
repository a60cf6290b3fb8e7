// SPDX-License-Identifier: GPL-2.0

//! Time stamps at the begin of lines.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::frame::Timestamp;

/// How a time stamp is written, by the number of `-t`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// Time of the day, local.
    #[default]
    TimeOfDay,
    /// None.
    Nothing,
    /// Seconds since the epoch.
    Epoch,
    /// Time since the packet before.
    SincePrevious,
    /// Date and time of the day, local.
    Date,
    /// Time since the first packet.
    SinceFirst,
}

impl Format {
    /// The format for so many `-t`.
    pub fn from_count(count: u8) -> Self {
        match count {
            0 => Self::TimeOfDay,
            1 => Self::Nothing,
            2 => Self::Epoch,
            3 => Self::SincePrevious,
            4 => Self::Date,
            _ => Self::SinceFirst,
        }
    }
}

/// Writes time stamps.
pub struct Clock {
    format: Format,
    nanoseconds: bool,
    zone: TimeZone,
    /// What differences are counted from.
    reference: Option<Timestamp>,
    /// The last whole second and its text: packets come many to a second.
    cached: Option<(i64, String)>,
}

impl Clock {
    /// A clock of the system's time zone.
    pub fn new(format: Format, nanoseconds: bool) -> Self {
        Self::with_zone(format, nanoseconds, TimeZone::system())
    }

    /// A clock of the time zone `zone`.
    pub fn with_zone(format: Format, nanoseconds: bool, zone: TimeZone) -> Self {
        Self {
            format,
            nanoseconds,
            zone,
            reference: None,
            cached: None,
        }
    }

    /// Writes `time` and a space, or nothing if that is the format.
    pub fn print(&mut self, time: Timestamp, out: &mut String) {
        match self.format {
            Format::Nothing => return,
            Format::TimeOfDay | Format::Date => {
                self.local(time.seconds, out);
                self.fraction(time.nanoseconds, out);
            }
            Format::Epoch => {
                let _ = write!(out, "{}", time.seconds);
                self.fraction(time.nanoseconds, out);
            }
            Format::SincePrevious | Format::SinceFirst => {
                let reference = *self.reference.get_or_insert(time);
                self.difference(reference, time, out);
                if self.format == Format::SincePrevious {
                    self.reference = Some(time);
                }
            }
        }
        out.push(' ');
    }

    fn local(&mut self, seconds: i64, out: &mut String) {
        if self.cached.as_ref().is_none_or(|(at, _)| *at != seconds) {
            let text = match jiff::Timestamp::from_second(seconds) {
                Ok(time) => {
                    let zoned = time.to_zoned(self.zone.clone());
                    let format = if self.format == Format::Date {
                        "%Y-%m-%d %H:%M:%S"
                    } else {
                        "%H:%M:%S"
                    };
                    zoned.strftime(format).to_string()
                }
                // Beyond the year 9999, which only a damaged file says.
                Err(_) => format!("[{seconds}]"),
            };
            self.cached = Some((seconds, text));
        }
        if let Some((_, text)) = &self.cached {
            out.push_str(text);
        }
    }

    /// Differences are shown as a time of day with a sign, or a space in its place.
    fn difference(&self, reference: Timestamp, time: Timestamp, out: &mut String) {
        let nanoseconds = |time: Timestamp| {
            i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds)
        };
        // Parts of a microsecond that are not shown do not count.
        let unit = if self.nanoseconds { 1 } else { 1_000 };
        let difference =
            (nanoseconds(time).div_euclid(unit) - nanoseconds(reference).div_euclid(unit)) * unit;
        let size = difference.unsigned_abs();
        let seconds = size / 1_000_000_000;
        let _ = write!(
            out,
            "{}{:02}:{:02}:{:02}",
            if difference < 0 { '-' } else { ' ' },
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60
        );
        self.fraction((size % 1_000_000_000) as u32, out);
    }

    fn fraction(&self, nanoseconds: u32, out: &mut String) {
        let _ = if self.nanoseconds {
            write!(out, ".{nanoseconds:09}")
        } else {
            write!(out, ".{:06}", nanoseconds / 1000)
        };
    }
}
