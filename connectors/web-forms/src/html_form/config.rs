//! The config of an HTML form.

use std::collections::HashMap;

use leadgate_core::ports::{BuildContext, BuildProblem, PushLimits, Secrets};
use leadgate_core::rules::SourceRules;
use leadgate_wire::fields::Kind;
use toml::Table;

use super::answer;
use super::captcha::{self, Captcha};
use super::language::Language;
use super::origin::{Allowed, Policy};
use super::pages::Prerendered;
use crate::config::{Keys, fields, rules, title};

/// Everything an HTML form's config says.
pub(super) struct Config {
    pub source: String,
    pub company: String,
    pub language: Option<Language>,
    pub company_language: Language,
    pub origins: Policy,
    pub next: Vec<Allowed>,
    /// Trimmed.
    pub honeypots: Vec<String>,
    pub min_fill_ms: u64,
    pub per_minute: u32,
    pub limits: PushLimits,
    pub files: FileTypes,
    pub own: HashMap<String, Kind>,
    pub captcha: Option<Captcha>,
    pub title: Option<String>,
    pub thank_you: Option<String>,
    pub thanks: Vec<(Language, Prerendered)>,
}

/// Extensions that are kept.
pub(crate) struct FileTypes(Vec<String>);

const USUAL_FILES: &[&str] = &[
    "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "odp", "rtf", "txt", "csv", "jpg", "jpeg", "png", "gif",
    "webp", "heic", "heif", "avif", "tif", "tiff", "bmp", "zip", "rar", "7z", "mp3", "m4a", "ogg", "wav", "mp4", "mov", "webm",
    "dwg", "dxf",
];

/// What a browser or a machine would run: never kept, whatever the config says.
const DANGEROUS: &[&str] = &[
    "html", "htm", "xhtml", "xht", "shtml", "mhtml", "mht", "svg", "svgz", "xml", "xsl", "xslt", "js", "mjs", "cjs", "jsx", "ts",
    "wasm", "css", "php", "php3", "php4", "php5", "php7", "phtml", "phar", "asp", "aspx", "jsp", "jspx", "cgi", "pl", "py",
    "pyc", "rb", "sh", "bash", "zsh", "bat", "cmd", "com", "exe", "msi", "msp", "scr", "pif", "cpl", "dll", "sys", "so", "dylib",
    "jar", "class", "war", "ps1", "psm1", "vb", "vbs", "vbe", "wsf", "wsh", "hta", "lnk", "url", "desktop", "reg", "inf", "app",
    "dmg", "pkg", "deb", "rpm", "apk", "ipa", "appimage", "bin", "run", "iso", "img", "vhd", "docm", "dotm", "xlsm", "xltm",
    "xlam", "pptm", "swf", "htaccess",
];

const DANGEROUS_TYPES: &[&str] = &[
    "text/html",
    "application/xhtml",
    "image/svg",
    "javascript",
    "ecmascript",
    "application/x-msdownload",
    "application/x-sh",
    "text/xml",
];

impl FileTypes {
    /// Documents, pictures, sound and the like.
    pub(crate) fn usual() -> Self {
        Self(USUAL_FILES.iter().map(|&extension| extension.to_owned()).collect())
    }

    /// Whether a file may be kept; the words are for the lead.
    pub(crate) fn allowed(&self, name: &str, content_type: &str) -> Result<(), String> {
        let content_type = content_type.to_ascii_lowercase();
        if DANGEROUS_TYPES.iter().any(|bad| content_type.contains(bad)) {
            return Err("files of this type are never kept".to_owned());
        }
        let name = name.trim().trim_end_matches(['.', ' ']).to_lowercase();
        let mut extensions = name.rsplit('.');
        let last = extensions.next().unwrap_or_default().to_owned();
        let inner: Vec<&str> = extensions.collect();
        if inner.is_empty() {
            return Err("files without an extension are not kept".to_owned());
        }
        // The first of the inner parts (the last here) is the file's own name.
        let hidden = &inner[..inner.len() - 1];
        if DANGEROUS.contains(&last.as_str()) || hidden.iter().any(|part| DANGEROUS.contains(part)) {
            return Err("files of this type are never kept".to_owned());
        }
        if self.0.contains(&last) { Ok(()) } else { Err(format!("files of type .{} are not taken here", last.escape_default())) }
    }
}

/// Reads the config; every problem at once.
pub(super) fn read(
    table: Table,
    secrets: &dyn Secrets,
    context: &BuildContext,
) -> Result<(Config, SourceRules), Vec<BuildProblem>> {
    let mut keys = Keys::new(table);
    let rules = rules(&mut keys);
    let company_language = Language::parse(&context.language).unwrap_or(Language::En);
    let mut config = Config {
        source: context.source.to_string(),
        company: context.company.clone(),
        language: keys.one_of("language", &[("ru", Language::Ru), ("en", Language::En)]),
        company_language,
        origins: origins(&mut keys, context),
        next: hosts(&mut keys, "allow_next"),
        honeypots: keys.list("honeypots").map_or_else(
            || ["_gotcha", "_honey", "botcheck", "bot-field"].map(str::to_owned).to_vec(),
            |names| names.iter().map(|name| name.trim().to_owned()).collect(),
        ),
        min_fill_ms: keys.number("min_fill_ms", 0..=600_000).unwrap_or(1500),
        per_minute: keys.number("per_minute", 1..=1_000_000).and_then(|n| u32::try_from(n).ok()).unwrap_or(60),
        limits: limits(&mut keys),
        files: file_types(&mut keys),
        own: fields(&mut keys),
        captcha: captcha::read(&mut keys, secrets),
        title: title(&mut keys),
        thank_you: keys.text("thank_you").as_deref().and_then(leadgate_core::text::present),
        thanks: Vec::new(),
    };
    config.thanks = answer::prerendered(&config);
    let problems = keys.finish();
    if problems.is_empty() { Ok((config, rules)) } else { Err(problems) }
}

fn origins(keys: &mut Keys, context: &BuildContext) -> Policy {
    let written = keys.list("allow_origins").unwrap_or_default();
    let mut allowed = Vec::new();
    for (at, text) in written.iter().enumerate() {
        match Allowed::parse(text) {
            Ok(origin) => allowed.push(origin),
            Err(why) => keys.problem(&format!("allow_origins[{at}]"), why),
        }
    }
    let required = keys.yes("require_origin").unwrap_or(true);
    Policy::new(written, allowed, required, &context.public_url)
}

fn hosts(keys: &mut Keys, key: &'static str) -> Vec<Allowed> {
    let mut hosts = Vec::new();
    for (at, text) in keys.list(key).unwrap_or_default().iter().enumerate() {
        match Allowed::parse(text) {
            Ok(Allowed::Any | Allowed::Null) => {
                keys.problem(&format!("{key}[{at}]"), "name the hosts: a form that redirects anywhere is a tool for fraud");
            }
            Ok(host) => hosts.push(host),
            Err(why) => keys.problem(&format!("{key}[{at}]"), why),
        }
    }
    hosts
}

fn limits(keys: &mut Keys) -> PushLimits {
    let usual = PushLimits::default();
    let file = keys.number("max_file_mb", 1..=1024).map_or(usual.file, |megabytes| megabytes << 20);
    let files = keys.number("max_files", 0..=100).and_then(|n| usize::try_from(n).ok()).unwrap_or(usual.files);
    PushLimits { file, files, files_total: usual.files_total.max(file), ..usual }
}

fn file_types(keys: &mut Keys) -> FileTypes {
    let Some(written) = keys.list("file_types") else { return FileTypes::usual() };
    let types: Vec<String> =
        written.iter().map(|text| text.trim().trim_start_matches("*.").trim_start_matches('.').to_lowercase()).collect();
    for (at, extension) in types.iter().enumerate() {
        if DANGEROUS.contains(&extension.as_str()) {
            keys.problem(&format!("file_types[{at}]"), format!("files of type .{extension} are never kept: they can run"));
        } else if extension.is_empty() || !extension.chars().all(char::is_alphanumeric) {
            keys.problem(&format!("file_types[{at}]"), "write a file name's extension, e.g. \"pdf\"");
        }
    }
    FileTypes(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_run_are_never_kept() {
        let files = FileTypes::usual();
        for good in ["план.PDF", "a.b.docx", "photo.jpeg"] {
            assert_eq!(files.allowed(good, "application/octet-stream"), Ok(()), "{good}");
        }
        for bad in ["a.html", "a.SVG", "a.php.jpg", "x.exe", "noext", "a.exe.", "a.xyz", ".htaccess"] {
            assert!(files.allowed(bad, "").is_err(), "{bad}");
        }
        assert!(files.allowed("a.png", "image/svg+xml").is_err());
        assert!(files.allowed("a.txt", "text/html; charset=utf-8").is_err());
    }
}
