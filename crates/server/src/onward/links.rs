//! Links that are signed, for one person and for a time. Those in mails that act only lead to a page that asks; nothing is done by opening
//! them, because programs open the links of mails, too. Those that show a lead do nothing else.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use leadgate_core::ids::{ActivityId, ContactId, LeadId, SourceId, SubmissionId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// Below this path a link's token stands.
pub const PATH: &str = "/act";
/// A link may be followed for so long.
pub const LASTS: SignedDuration = SignedDuration::from_hours(24 * 14);
/// Below this path the token of a link stands that shows a lead.
pub const OPEN_PATH: &str = "/open";
/// A link that shows a lead may be followed for so long.
pub const OPEN_LASTS: SignedDuration = SignedDuration::from_hours(24 * 7);
/// Stands before what such a link says when it is signed, so that none of another purpose is taken for it.
const OPEN: &[u8] = b"open:";
/// The longest token that is looked at.
const LONGEST: usize = 1024;
/// Bytes of a canary's signature.
const CANARY_MAC: usize = 16;

/// What a link does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Takes a lead.
    Take(LeadId),
    /// Takes a contact that waits.
    TakeContact(ContactId),
    /// Closes a lead as junk.
    Junk(LeadId),
    /// Lets a delivery in that was kept aside.
    Release(SubmissionId),
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What it does.
    #[serde(rename = "d")]
    pub deed: Deed,
    /// Who does it: a manager's id or an address of the company.
    #[serde(rename = "b")]
    pub by: String,
    /// Until when, in seconds since 1970.
    #[serde(rename = "u")]
    until: i64,
}

/// A link that shows a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLink {
    /// Which.
    #[serde(rename = "l")]
    pub lead: LeadId,
    /// To whom: a manager's id, an address of the company, or a chat of it, `telegram:<source>:<chat>`.
    #[serde(rename = "b")]
    pub by: String,
    /// Until when, in seconds since 1970.
    #[serde(rename = "u")]
    until: i64,
}

/// Why a link does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLink {
    /// It was not made here, or was changed or cut on the way.
    #[error("this link was not made here, or is not whole")]
    Forged,
    /// Its time is over.
    #[error("the time of this link is over")]
    Over,
}

/// Makes and reads links.
#[derive(Clone)]
pub struct Signer {
    key: [u8; 32],
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// With the installation's key.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    fn mac(&self, payload: &[u8]) -> Option<Hmac<Sha256>> {
        // A key of any length will do.
        let mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        Some(mac.chain_update(payload))
    }

    /// The path of a link, with its token.
    pub fn path(&self, deed: Deed, by: &str, now: Timestamp) -> Option<String> {
        let until = now.saturating_add(LASTS).unwrap_or(Timestamp::MAX).as_second();
        let token = self.token(b"", &Link { deed, by: by.to_owned(), until })?;
        Some(format!("{PATH}/{token}"))
    }

    /// The path of a link that shows a lead, with its token.
    pub fn open_path(&self, lead: LeadId, by: &str, now: Timestamp) -> Option<String> {
        let until = now.saturating_add(OPEN_LASTS).unwrap_or(Timestamp::MAX).as_second();
        let token = self.token(OPEN, &OpenLink { lead, by: by.to_owned(), until })?;
        Some(format!("{OPEN_PATH}/{token}"))
    }

    fn token(&self, purpose: &[u8], link: &impl Serialize) -> Option<String> {
        let payload = serde_json::to_vec(link).ok()?;
        let mac = self.mac(&[purpose, &payload].concat())?.finalize().into_bytes();
        Some(format!("{}.{}", BASE64URL_NOPAD.encode(&payload), BASE64URL_NOPAD.encode(&mac)))
    }

    /// The address that an answer to a notice goes to, below the gateway's own: `leads+r12.345-0a1b2c3d4e5f6071@example.com` of lead
    /// 12 and activity 345. It is no secret of the manager's: it says what the notice was about, and that the gateway made it.
    pub fn reply_address(&self, own: &str, lead: LeadId, activity: Option<ActivityId>) -> Option<String> {
        let (local, domain) = own.rsplit_once('@')?;
        let said = activity.map_or_else(|| lead.to_string(), |activity| format!("{lead}.{activity}"));
        Some(format!("{local}+r{said}-{}@{domain}", self.reply_mac(&said)?))
    }

    /// What the notice was about whose address, as [`Self::reply_address`] made it, is in one of these texts.
    pub fn read_reply(&self, own: &str, shown: &[String]) -> Option<(LeadId, Option<ActivityId>)> {
        let (local, domain) = own.rsplit_once('@')?;
        let (before, after) = (format!("{local}+r").to_ascii_lowercase(), format!("@{domain}").to_ascii_lowercase());
        shown.iter().find_map(|text| {
            let text = text.to_ascii_lowercase();
            let (said, mac) = text.split_once(&before)?.1.split_once(&after)?.0.split_once('-')?;
            let (lead, activity) = match said.split_once('.') {
                Some((lead, activity)) => (lead, Some(ActivityId(activity.parse().ok()?))),
                None => (said, None),
            };
            (self.reply_mac(said)? == mac).then_some((LeadId(lead.parse().ok()?), activity))
        })
    }

    fn reply_mac(&self, said: &str) -> Option<String> {
        let mac = self.mac(format!("reply:{said}").as_bytes())?.finalize().into_bytes();
        Some(leadgate_core::submission::hex(&mac[..8]))
    }

    /// What marks a canary of a source that is sent now: `<source>.<seconds since 1970>.<signature>`, one word of a header.
    pub fn canary(&self, source: &SourceId, now: Timestamp) -> Option<String> {
        let said = format!("{source}.{}", now.as_second());
        let mac = self.mac(format!("canary:{said}").as_bytes())?.finalize().into_bytes();
        Some(format!("{said}.{}", HEXLOWER.encode(&mac[..CANARY_MAC])))
    }

    /// Which source's canary a mark is, and when it was sent; `None`: it was not made here.
    pub fn read_canary(&self, mark: &str) -> Option<(SourceId, Timestamp)> {
        let (said, mac) = mark.rsplit_once('.').filter(|_| mark.len() <= LONGEST)?;
        let mac = HEXLOWER.decode(mac.as_bytes()).ok().filter(|mac| mac.len() == CANARY_MAC)?;
        self.mac(format!("canary:{said}").as_bytes())?.verify_truncated_left(&mac).ok()?;
        let (source, second) = said.rsplit_once('.')?;
        Some((SourceId::parse(source).ok()?, Timestamp::from_second(second.parse().ok()?).ok()?))
    }

    /// Reads the token of a link that acts.
    pub fn read(&self, token: &str, now: Timestamp) -> Result<Link, BadLink> {
        let link: Link = self.signed(b"", token)?;
        if now.as_second() > link.until { Err(BadLink::Over) } else { Ok(link) }
    }

    /// Reads the token of a link that shows a lead.
    pub fn read_open(&self, token: &str, now: Timestamp) -> Result<OpenLink, BadLink> {
        let link: OpenLink = self.signed(OPEN, token)?;
        if now.as_second() > link.until { Err(BadLink::Over) } else { Ok(link) }
    }

    /// What a token says that was signed for a purpose.
    fn signed<T: DeserializeOwned>(&self, purpose: &[u8], token: &str) -> Result<T, BadLink> {
        if token.len() > LONGEST {
            return Err(BadLink::Forged);
        }
        let (payload, mac) = token.split_once('.').ok_or(BadLink::Forged)?;
        let decode = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| BadLink::Forged);
        let (payload, mac) = (decode(payload)?, decode(mac)?);
        let signed = self.mac(&[purpose, &payload].concat()).ok_or(BadLink::Forged)?;
        signed.verify_slice(&mac).map_err(|_| BadLink::Forged)?;
        serde_json::from_slice(&payload).map_err(|_| BadLink::Forged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_was_made_until_it_ends() {
        let (signer, now) = (Signer::new([7; 32]), Timestamp::from_second(1_000_000).unwrap());
        let path = signer.path(Deed::Take(LeadId(12)), "anna", now).unwrap();
        let token = path.strip_prefix("/act/").unwrap();
        let link = signer.read(token, now).unwrap();
        assert_eq!((link.deed, link.by.as_str()), (Deed::Take(LeadId(12)), "anna"));
        let (last, over) = (now + LASTS, now + LASTS + SignedDuration::from_secs(1));
        assert!(signer.read(token, last).is_ok());
        assert_eq!(signer.read(token, over), Err(BadLink::Over));
        assert_eq!(Signer::new([8; 32]).read(token, now), Err(BadLink::Forged));
    }

    #[test]
    fn a_link_of_one_purpose_is_none_of_another() {
        let (signer, now) = (Signer::new([7; 32]), Timestamp::from_second(1_000_000).unwrap());
        let path = signer.open_path(LeadId(12), "telegram:bot:-1001", now).unwrap();
        let shown = path.strip_prefix("/open/").unwrap();
        let link = signer.read_open(shown, now).unwrap();
        assert_eq!((link.lead, link.by.as_str()), (LeadId(12), "telegram:bot:-1001"));
        assert!(signer.read_open(shown, now + OPEN_LASTS).is_ok());
        assert_eq!(signer.read_open(shown, now + OPEN_LASTS + SignedDuration::from_secs(1)), Err(BadLink::Over));
        assert_eq!(signer.read(shown, now), Err(BadLink::Forged));
        let path = signer.path(Deed::Take(LeadId(12)), "anna", now).unwrap();
        assert_eq!(signer.read_open(path.strip_prefix("/act/").unwrap(), now), Err(BadLink::Forged));
        let payload = BASE64URL_NOPAD.encode(br#"{"l":13,"b":"telegram:bot:-1001","u":9000000}"#);
        let mac = shown.split_once('.').unwrap().1;
        assert_eq!(signer.read_open(&format!("{payload}.{mac}"), now), Err(BadLink::Forged));
    }

    #[test]
    fn an_answers_address_says_what_the_notice_was_about() {
        let (signer, own) = (Signer::new([7; 32]), "leads@example.com");
        let read = |text: &str| signer.read_reply(own, &["x@example.com".to_owned(), text.to_owned()]);
        let address = signer.reply_address(own, LeadId(12), Some(ActivityId(345))).unwrap();
        assert!(
            address.starts_with("leads+r12.345-") && address.ends_with("@example.com") && address.len() < 64 + 12,
            "{address}"
        );
        assert_eq!(read(&format!("Leads <{}>", address.to_uppercase())), Some((LeadId(12), Some(ActivityId(345)))));
        let former = signer.reply_address(own, LeadId(12), None).unwrap();
        assert_eq!(read(&former), Some((LeadId(12), None)));
        let mac = address.split(['-', '@']).nth(1).unwrap();
        for forged in [
            format!("leads+r12.346-{mac}@example.com"),
            format!("leads+r12-{mac}@example.com"),
            format!("leads+r12.345-{}@example.com", &mac[..15]),
            format!("leads+r12.345-{mac}@example.org"),
            format!("other+r12.345-{mac}@example.com"),
            "leads+r12-@example.com".to_owned(),
            "leads+r-@example.com".to_owned(),
            String::new(),
        ] {
            assert_eq!(read(&forged), None, "{forged}");
        }
        assert_eq!(Signer::new([8; 32]).read_reply(own, &[address]), None);
    }

    #[test]
    fn a_canary_says_whose_it_is_and_when_it_was_sent() {
        let (signer, now) = (Signer::new([7; 32]), Timestamp::from_second(1_000_000).unwrap());
        let source = SourceId::parse("site").unwrap();
        let mark = signer.canary(&source, now).unwrap();
        assert!(mark.starts_with("site.1000000.") && mark.bytes().all(|byte| byte.is_ascii_graphic()), "{mark}");
        assert_eq!(signer.read_canary(&mark), Some((source, now)));
        assert_eq!(Signer::new([8; 32]).read_canary(&mark), None);
        let mac = mark.rsplit_once('.').unwrap().1;
        for bad in
            ["", ".", "..", "site.1000000.", "site.1000000.00", &format!("info.1000000.{mac}"), &format!("site.1000001.{mac}")]
        {
            assert_eq!(signer.read_canary(bad), None, "{bad}");
        }
        for at in 0..mark.len() {
            assert_eq!(signer.read_canary(&mark[..at]), None, "{at}");
        }
        assert_eq!(signer.read_canary(&"a".repeat(5000)), None);
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let (signer, now) = (Signer::new([7; 32]), Timestamp::UNIX_EPOCH);
        let path = signer.path(Deed::Junk(LeadId(1)), "anna", now).unwrap();
        let token = path.strip_prefix("/act/").unwrap();
        for at in 0..token.len() {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            // The last letter of each half holds bits that mean nothing; those must be zero.
            assert_eq!(signer.read(&String::from_utf8(bytes).unwrap(), now), Err(BadLink::Forged), "{at}");
            assert_eq!(signer.read(&token[..at], now), Err(BadLink::Forged));
        }
        for bad in ["", ".", "a.b", &"a".repeat(5000)] {
            assert_eq!(signer.read(bad, now), Err(BadLink::Forged));
        }
    }
}
