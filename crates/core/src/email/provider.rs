//! What mail providers document about which addresses are one mailbox.
//!
//! Sources: support.google.com/mail/answer/7436150 and /10313 (dots, googlemail.com), support.apple.com/en-us/118230
//! (icloud.com, me.com, mac.com), yandex.com/support/domain/additional/mailbox-alias.xml (one login on all domains),
//! proton.me/support/addresses-and-aliases, fastmail.help/hc/en-us/articles/360060591053 (subdomain addressing),
//! help.yahoo.com/kb/SLN28815.html (a `-keyword` address has an invented base, so nothing is cut). Google Workspace,
//! Zoho and Rackspace under a company's own domain cannot be told from the address and are left alone.

use std::borrow::Cow;

/// The rules of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rules {
    /// The domain that stands for all domains with the same mailboxes.
    fold_to: Option<&'static str>,
    /// Characters that make no difference in a local part.
    ignored: &'static [char],
    /// Everything from the first `+` is a tag.
    tagged: bool,
}

const GMAIL: Rules = Rules { fold_to: Some("gmail.com"), ignored: &['.'], tagged: true };
const TAGGED: Rules = Rules { fold_to: None, ignored: &[], tagged: true };
const ICLOUD: Rules = Rules { fold_to: Some("icloud.com"), ignored: &[], tagged: true };
const YANDEX: Rules = Rules { fold_to: Some("yandex.ru"), ignored: &[], tagged: true };
const PROTON: Rules = Rules { fold_to: None, ignored: &['.', '-', '_'], tagged: true };
const OTHER: Rules = Rules { fold_to: None, ignored: &[], tagged: false };

fn rules(domain: &str) -> Rules {
    match domain {
        "gmail.com" | "googlemail.com" => GMAIL,
        "icloud.com" | "me.com" | "mac.com" => ICLOUD,
        "ya.ru" | "narod.ru" => YANDEX,
        "proton.me" | "protonmail.com" | "protonmail.ch" | "pm.me" => PROTON,
        // The domains of this group have separate mailboxes.
        "mail.ru" | "inbox.ru" | "list.ru" | "bk.ru" | "internet.ru" | "msn.com" | "zoho.com" | "zohomail.com" | "zoho.eu"
        | "zohomail.eu" | "zoho.in" => TAGGED,
        _ if is_fastmail(domain) => TAGGED,
        _ => match domain.split_once('.') {
            Some(("yandex", ending)) if is_yandex_ending(ending) => YANDEX,
            // The mailboxes of these domains are separate, too.
            Some(("outlook" | "hotmail" | "live", ending)) if is_country_ending(ending) => TAGGED,
            _ => OTHER,
        },
    }
}

fn is_yandex_ending(ending: &str) -> bool {
    matches!(
        ending,
        "ru" | "com"
            | "by"
            | "kz"
            | "ua"
            | "uz"
            | "com.tr"
            | "az"
            | "com.am"
            | "com.ge"
            | "co.il"
            | "ee"
            | "fr"
            | "kg"
            | "lt"
            | "lv"
            | "md"
            | "tj"
            | "tm"
    )
}

/// `com`, `de`, `co.uk`, `com.br`: what follows a brand that has one domain a country.
fn is_country_ending(ending: &str) -> bool {
    let country = ending.strip_prefix("co.").or_else(|| ending.strip_prefix("com.")).unwrap_or(ending);
    ending == "com" || ending == "eu" || (country.len() == 2 && country.bytes().all(|b| b.is_ascii_lowercase()))
}

fn is_fastmail(domain: &str) -> bool {
    matches!(
        domain,
        "fastmail.com"
            | "fastmail.fm"
            | "fastmail.net"
            | "fastmail.org"
            | "fastmail.us"
            | "fastmail.co.uk"
            | "fastmail.de"
            | "fastmail.es"
            | "fastmail.fr"
            | "fastmail.in"
            | "fastmail.jp"
            | "fastmail.mx"
            | "fastmail.nl"
            | "fastmail.se"
            | "fastmail.to"
            | "fastmail.tw"
            | "fastmail.uk"
            | "fastmail.cn"
            | "fastmail.im"
            | "fastmail.is"
            | "fastmail.ca"
            | "fastmail.com.au"
            | "123mail.org"
            | "airpost.net"
            | "eml.cc"
            | "fmail.co.uk"
            | "fmgirl.com"
            | "fmguy.com"
            | "mailbolt.com"
            | "mailcan.com"
            | "mailhaven.com"
            | "mailmight.com"
            | "ml1.net"
            | "mm.st"
            | "myfastmail.com"
            | "proinbox.com"
            | "promessage.com"
            | "rushpost.com"
            | "sent.as"
            | "sent.at"
            | "sent.com"
            | "speedymail.org"
            | "warpmail.net"
            | "xsmail.com"
            | "150mail.com"
            | "150ml.com"
            | "16mail.com"
            | "2-mail.com"
            | "4email.net"
            | "50mail.com"
            | "allmail.net"
            | "bestmail.us"
            | "cluemail.com"
            | "elitemail.org"
            | "emailcorner.net"
            | "emailengine.net"
            | "emailengine.org"
            | "emailgroups.net"
            | "emailplus.org"
            | "emailuser.net"
            | "f-m.fm"
            | "fast-email.com"
            | "fast-mail.org"
            | "fastem.com"
            | "fastemail.us"
            | "fastemailer.com"
            | "fastest.cc"
            | "fastimap.com"
            | "fastmailbox.net"
            | "fastmessaging.com"
            | "fea.st"
            | "fastwebmail.it"
            | "ftml.net"
            | "h-mail.us"
            | "hailmail.net"
            | "imap-mail.com"
            | "imap.cc"
            | "imapmail.org"
            | "inoutbox.com"
            | "internet-e-mail.com"
            | "internet-mail.org"
            | "internetemails.net"
            | "internetmailing.net"
            | "jetemail.net"
            | "justemail.net"
            | "letterboxes.org"
            | "mail-central.com"
            | "mail-page.com"
            | "mailas.com"
            | "mailc.net"
            | "mailforce.net"
            | "mailftp.com"
            | "mailingaddress.org"
            | "mailite.com"
            | "mailnew.com"
            | "mailsent.net"
            | "mailservice.ms"
            | "mailup.net"
            | "mailworks.org"
            | "mymacmail.com"
            | "nospammail.net"
            | "ownmail.net"
            | "petml.com"
            | "postinbox.com"
            | "postpro.net"
            | "realemail.net"
            | "reallyfast.biz"
            | "reallyfast.info"
            | "ssl-mail.com"
            | "swift-mail.com"
            | "the-fastest.net"
            | "the-quickest.com"
            | "theinternetemail.com"
            | "veryfast.biz"
            | "veryspeedy.net"
            | "yepmail.net"
            | "your-mail.com"
    )
}

/// The canonical address of a lower-case local part at a lower-case ASCII domain.
pub(super) fn key(local: &str, domain: &str) -> String {
    let (local, domain) = subdomain_addressed(local, domain);
    let rules = rules(domain);
    let base = if rules.tagged { without_tag(local) } else { local };
    let base = without(base, rules.ignored);
    // `+tag@…` and `...@…` have nothing left that could name a mailbox.
    let base = if base.is_empty() { Cow::Borrowed(local) } else { base };
    join(&base, rules.fold_to.unwrap_or(domain))
}

/// The weak key: every habit that somebody has been seen to have, whoever the provider is.
pub(super) fn loose(local: &str, domain: &str) -> String {
    let (local, domain) = subdomain_addressed(local, domain);
    let base = without(without_tag(local), &['.', '-', '_']);
    let base = if base.is_empty() { Cow::Borrowed(local) } else { base };
    // The domains of Proton have the same mailboxes only where their owner has switched that on.
    let domain = if rules(domain) == PROTON { "proton.me" } else { rules(domain).fold_to.unwrap_or(domain) };
    join(&base, domain)
}

/// `anything@user.fastmail.com` is `user@fastmail.com`.
fn subdomain_addressed<'a>(local: &'a str, domain: &'a str) -> (&'a str, &'a str) {
    match domain.split_once('.') {
        Some((user, parent @ ("fastmail.com" | "fastmail.fm"))) if !user.is_empty() => (user, parent),
        _ => (local, domain),
    }
}

fn without_tag(local: &str) -> &str {
    match local.split_once('+') {
        Some((base, _)) if !base.is_empty() => base,
        _ => local,
    }
}

fn without<'a>(local: &'a str, ignored: &[char]) -> Cow<'a, str> {
    if local.contains(ignored) { Cow::Owned(local.replace(ignored, "")) } else { Cow::Borrowed(local) }
}

fn join(local: &str, domain: &str) -> String {
    let mut address = String::with_capacity(local.len() + 1 + domain.len());
    address.push_str(local);
    address.push('@');
    address.push_str(domain);
    address
}
