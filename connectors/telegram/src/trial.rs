//! A trial: asks the service whose bot it is and who has it, and takes nothing.

use leadgate_core::ports::Finding;

use crate::api::{Api, ApiError, Me};
use crate::polling::foreign;
use crate::settings::{Groups, Settings, Way};

/// Tries a bot, telling each finding as it is made.
pub(crate) async fn try_out(settings: &Settings, tell: &(dyn Fn(Finding) + Send + Sync)) {
    let good = |words: String| tell(Finding { ok: true, words });
    let bad = |words: String| tell(Finding { ok: false, words });
    let me = async { Api::new(settings)?.get_me().await.map(|me| (Api::new(settings), me)) };
    let (api, me) = match me.await {
        Ok((Ok(api), me)) => (api, me),
        Ok((Err(error), _)) | Err(error) => return bad(advice(&error, settings)),
    };
    good(format!("{} answers: the bot is @{}, {:?}", settings.api_url, me.username.as_deref().unwrap_or("?"), me.first_name));
    match api.get_webhook_info().await {
        Ok(info) if info.url.is_empty() => good(format!("{} updates wait", info.pending_update_count)),
        Ok(info) if settings.is_ours(&info.url) => good("its updates go to this gateway by webhook".to_owned()),
        Ok(info) if settings.take_over => good(format!("{}; take_over is set, so that is what happens", foreign(&info.url))),
        Ok(info) => bad(foreign(&info.url)),
        Err(error) => bad(format!("whether another program has the bot cannot be told: {error}")),
    }
    match settings.way {
        Way::Polling => good("updates are asked for; nothing has to reach the gateway".to_owned()),
        Way::Webhook => good("Telegram is told to call the gateway when it runs".to_owned()),
    }
    if let Groups::These(_) = settings.groups
        && !me.can_read_all_group_messages
    {
        bad("in groups the bot sees only what is addressed to it: switch its privacy mode off at @BotFather (/setprivacy)"
            .to_owned());
    }
    if let Some(chat) = settings.staff_chat {
        staff(&api, chat, settings, &me, &good, &bad).await;
    }
}

async fn staff(api: &Api, chat: i64, settings: &Settings, me: &Me, good: &impl Fn(String), bad: &impl Fn(String)) {
    let info = match api.get_chat(chat).await {
        Ok(info) => info,
        Err(ApiError::Migrated(to)) => return bad(format!("staff_chat has become a supergroup: write staff_chat = {to}")),
        Err(error) => {
            return bad(format!("staff_chat {chat} cannot be reached: {error}. Add the bot to the group and check its id"));
        }
    };
    let title = leadgate_core::text::printable(&info.title, true).into_owned();
    good(format!("staff_chat is {title:?}"));
    match api.standing(chat, me.id).await {
        Ok((status, _)) if status != "administrator" => {
            bad(format!("the bot is {status:?} there: make it an administrator, or it does not hear what managers answer"));
        }
        Ok((_, topics)) if settings.topics && info.is_forum && !topics => {
            bad("the group has topics, and the bot may not make any: let it manage topics, or write topics = false".to_owned());
        }
        Ok(_) if settings.topics && info.is_forum => good("each lead gets a topic there".to_owned()),
        Ok(_) => good("leads are told there one below the other".to_owned()),
        Err(error) => bad(format!("what the bot may do there cannot be told: {error}")),
    }
}

/// What failed when connecting, and what to do about it.
fn advice(error: &ApiError, settings: &Settings) -> String {
    match error {
        ApiError::Unavailable(why) => {
            let way = if settings.proxy.is_some() {
                "through the proxy"
            } else {
                "without a proxy (proxy = \"socks5://...\" sets one)"
            };
            format!("{} cannot be reached {way}: {why}", settings.api_url)
        }
        other => other.to_string(),
    }
}
