//! A name and a password beside the token in the path, as one's own PBX sends them.

use leadgate_core::ports::Secrets;
use leadgate_wire::auth::{Auth, Check};
use leadgate_wire::keys::Keys;

/// Reads `user` and `password`. Without them the token in the path is enough.
pub(crate) fn read(keys: &mut Keys, secrets: &dyn Secrets) -> Auth {
    let user = keys.text("user").map(|user| user.trim().to_owned()).filter(|user| !user.is_empty());
    let declared = keys.has("password");
    let passwords = keys.secrets("password", secrets);
    if user.is_some() && !declared {
        keys.problem("password", "it is missing; write { env = \"NAME\" } or { file = \"path\" }");
    }
    if passwords.is_empty() {
        return Auth::path_token();
    }
    Auth { any: vec![vec![Check::PathToken, Check::Basic { user, passwords }]] }
}

/// Reads the address of a folder of recordings.
pub(crate) fn folder(keys: &mut Keys, key: &'static str) -> Option<String> {
    let text = keys.text(key)?;
    let url = url::Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if url.is_none() {
        keys.problem(key, format!("{text:?} is no address; write e.g. \"https://pbx.example.com/recordings/\""));
    }
    url.map(|url| format!("{}/", url.as_str().trim_end_matches('/')))
}

/// The link of a file in a folder; `None`: its name leads out of it.
pub(crate) fn link(folder: &str, path: &str) -> Option<String> {
    let pieces: Vec<&str> = path.split(['/', '\\']).filter(|piece| !piece.is_empty() && *piece != ".").collect();
    if pieces.is_empty() || pieces.contains(&"..") {
        return None;
    }
    let mut url = url::Url::parse(folder).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(pieces);
    Some(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_their_folder() {
        let folder = "https://pbx.example.com/rec/";
        assert_eq!(link(folder, "2026/11/a b?.wav").as_deref(), Some("https://pbx.example.com/rec/2026/11/a%20b%3F.wav"));
        for path in ["", "..", "a/../../b", "/", "..\\x"] {
            assert_eq!(link(folder, path), None, "{path}");
        }
    }
}
