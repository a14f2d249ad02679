//! What a message holds beside its text: files, and everything else in words.

use leadgate_core::chat::OfferedFile;
use leadgate_core::submission::{Field, Typed};
use leadgate_core::text;
use serde_json::Value;

use super::files;
use super::look::{at, id, line, list, object, one_line};
use super::said::Said;

/// Bytes of a field's value.
const VALUE: usize = 1_000;
/// Members of a message that are looked at, and what one of them may list.
const MOST: usize = 50;

/// Members that say how, when and by whom a message was written, and what a program shows with it, not what it says
/// (<https://core.telegram.org/bots/api#message>).
const CIRCUMSTANCES: &[&str] = &[
    "message_id",
    "message_thread_id",
    "direct_messages_topic",
    "from",
    "sender_chat",
    "sender_boost_count",
    "sender_business_bot",
    "sender_tag",
    "date",
    "business_connection_id",
    "chat",
    "forward_origin",
    "forward_from",
    "forward_from_chat",
    "forward_from_message_id",
    "forward_signature",
    "forward_sender_name",
    "forward_date",
    "is_topic_message",
    "is_automatic_forward",
    "reply_to_message",
    "external_reply",
    "quote",
    "reply_to_story",
    "reply_to_checklist_task_id",
    "via_bot",
    "edit_date",
    "has_protected_content",
    "is_from_offline",
    "is_paid_post",
    "media_group_id",
    "author_signature",
    "paid_star_count",
    "text",
    "entities",
    "link_preview_options",
    "suggested_post_info",
    "effect_id",
    "caption",
    "caption_entities",
    "show_caption_above_media",
    "has_media_spoiler",
    "reply_markup",
];

/// Members that tell of something that happened to the chat: nobody says anything to the company by them.
const SERVICE: &[&str] = &[
    "new_chat_members",
    "new_chat_member",
    "new_chat_participant",
    "left_chat_member",
    "left_chat_participant",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "channel_chat_created",
    "message_auto_delete_timer_changed",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "pinned_message",
    "write_access_allowed",
    "connected_website",
    "passport_data",
    "proximity_alert_triggered",
    "boost_added",
    "chat_background_set",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_closed",
    "forum_topic_reopened",
    "general_forum_topic_hidden",
    "general_forum_topic_unhidden",
    "giveaway_created",
    "giveaway_completed",
    "paid_message_price_changed",
    "direct_message_price_changed",
    "video_chat_scheduled",
    "video_chat_started",
    "video_chat_ended",
    "video_chat_participants_invited",
    "suggested_post_approved",
    "suggested_post_approval_failed",
    "suggested_post_declined",
    "suggested_post_paid",
    "suggested_post_refunded",
    "checklist_tasks_done",
    "checklist_tasks_added",
];

/// What a message holds beside its text.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub files: Vec<OfferedFile>,
    pub fields: Vec<Field>,
    pub phones: Vec<Typed>,
    pub emails: Vec<Typed>,
    /// Something happened to the chat.
    pub service: bool,
}

impl Content {
    /// Of a message.
    pub(super) fn of(message: &Value, said: &Said, largest: u64) -> Self {
        let mut content = Self::default();
        let members = message.as_object().map(|members| members.iter()).into_iter().flatten();
        for (key, value) in members.filter(|(key, _)| !CIRCUMSTANCES.contains(&key.as_str())).take(MOST) {
            content.member(key, value, message, said, largest);
        }
        content.entities(message, said);
        content
    }

    /// Whether it holds nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.fields.is_empty() && self.phones.is_empty() && self.emails.is_empty()
    }

    fn member(&mut self, key: &str, value: &Value, message: &Value, said: &Said, largest: u64) {
        match key {
            _ if SERVICE.contains(&key) => self.service = true,
            "contact" => self.contact(said),
            "location" if at(message, "venue").is_object() => {}
            "location" => self.field("location", place(value)),
            "venue" => {
                let parts = [line(value, "title", 300), line(value, "address", 300), place(at(value, "location"))];
                self.field("venue", Some(parts.into_iter().flatten().collect::<Vec<_>>().join(", ")));
            }
            "poll" => {
                let options = list(value, "options").iter().take(MOST).filter_map(|option| line(option, "text", 100));
                let question = line(value, "question", 300).unwrap_or_default();
                self.field("poll", Some(format!("{question}: {}", options.collect::<Vec<_>>().join(" / "))));
            }
            "dice" => {
                let value_of = id(value, "value").map(|value| value.to_string());
                self.field(
                    "dice",
                    Some([line(value, "emoji", 20), value_of].into_iter().flatten().collect::<Vec<_>>().join(" ")),
                );
            }
            "sticker" => self.field("sticker", Some(line(value, "emoji", 20).unwrap_or_else(|| "?".to_owned()))),
            "story" => self
                .field("story", object(value, "chat").and_then(|chat| line(chat, "title", 300)).or_else(|| Some("?".to_owned()))),
            "game" => self.field("game", line(value, "title", 300)),
            "invoice" => self.field("invoice", money(value, line(value, "title", 300))),
            "successful_payment" => self.field("payment", money(value, line(value, "invoice_payload", 300))),
            "web_app_data" => {
                self.field(&line(value, "button_text", 100).unwrap_or_else(|| key.to_owned()), line(value, "data", VALUE));
            }
            "checklist" => {
                let tasks = list(value, "tasks").iter().take(MOST).filter_map(|task| line(task, "text", 100));
                let title = line(value, "title", 300).unwrap_or_default();
                self.field("checklist", Some(format!("{title}: {}", tasks.collect::<Vec<_>>().join(" / "))));
            }
            "paid_media" => {
                let paid = files::paid(value).filter_map(|(kind, file)| files::offered(kind, file, said.message, largest));
                self.files.extend(paid);
                self.field("content", Some("paid_media".to_owned()));
            }
            // For programs of long ago an animation stands there as a document, too.
            "document" if at(message, "animation").is_object() => {}
            _ if files::is_file(value) => self.files.extend(files::offered(key, value, said.message, largest)),
            // What is newer than this program is kept, and named.
            _ if !value.is_null() && *value != Value::Bool(false) => self.field("content", one_line(key, 100)),
            _ => {}
        }
    }

    fn contact(&mut self, said: &Said) {
        let Some(card) = &said.contact else { return self.field("content", Some("contact".to_owned())) };
        if card.own {
            // Telegram vouches for it; it comes with or without the plus.
            self.phones.push(Typed { provider_format: true, proven: true, ..Typed::new("contact", card.phone.as_str()) });
        } else {
            let parts = [card.name.as_str(), card.phone.as_str()];
            self.field("contact card", Some(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")));
        }
    }

    /// Links behind words; and phones and addresses in what the person wrote themselves.
    fn entities(&mut self, message: &Value, said: &Said) {
        let (typed, key) = match super::look::text(message, "text") {
            Some(typed) => (typed, "entities"),
            None => (super::look::text(message, "caption").unwrap_or_default(), "caption_entities"),
        };
        let entities = list(message, key);
        if entities.is_empty() {
            return;
        }
        for entity in entities.iter().take(MOST) {
            match at(entity, "type").as_str() {
                Some("text_link") => self.field("link", line(entity, "url", VALUE)),
                Some("phone_number") if said.forwarded.is_none() => {
                    self.phones.extend(marked(typed, entity).map(|text| Typed { found: true, ..Typed::new("text", text) }));
                }
                Some("email") if said.forwarded.is_none() => {
                    self.emails.extend(marked(typed, entity).map(|text| Typed { found: true, ..Typed::new("text", text) }));
                }
                _ => {}
            }
        }
    }

    fn field(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let value = text::cut(&value, VALUE).to_owned();
            self.fields.push(Field { name: name.to_owned(), value });
        }
    }
}

fn place(location: &Value) -> Option<String> {
    let degrees = |key: &str| at(location, key).as_f64().filter(|degrees| degrees.abs() <= 180.0);
    Some(format!("{}, {}", degrees("latitude")?, degrees("longitude")?))
}

/// An amount in minor units with its currency, after what it is for.
fn money(value: &Value, what: Option<String>) -> Option<String> {
    let amount = id(value, "total_amount").map(|minor| minor.to_string());
    let parts: Vec<String> = [what, amount, line(value, "currency", 10)].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// What an entity marks. Its place counts in units of UTF-16 (<https://core.telegram.org/bots/api#messageentity>).
fn marked(typed: &str, entity: &Value) -> Option<String> {
    let place = |key: &str| id(entity, key).and_then(|units| usize::try_from(units).ok());
    let (from, length) = (place("offset")?, place("length")?);
    let to = from.checked_add(length.min(VALUE))?;
    let mut units = 0;
    let mut out = String::new();
    for c in typed.chars() {
        if units >= to {
            break;
        }
        if units >= from {
            out.push(c);
        }
        units += c.len_utf16();
    }
    one_line(&out, VALUE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_count_in_utf_16() {
        let typed = "😀 call +7 916 000-11-22 now";
        assert_eq!(marked(typed, &json!({"offset": 8, "length": 16})).as_deref(), Some("+7 916 000-11-22"));
        for odd in [json!({"offset": -1, "length": 3}), json!({"offset": 900, "length": 3}), json!({"offset": "8"}), json!(null)]
        {
            assert_eq!(marked(typed, &odd), None, "{odd}");
        }
        assert_eq!(marked(typed, &json!({"offset": 3, "length": i64::MAX})).as_deref(), Some("call +7 916 000-11-22 now"));
    }
}
