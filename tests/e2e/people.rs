//! Who is who: one person under any concurrency, two of one family, and a stranger with somebody's number.

use anyhow::Context as _;
use leadgate_tests::client::{World, send};
use leadgate_tests::gateway::Setup;
use serde_json::Value;
use tokio::task::JoinSet;

async fn deliver(world: &World, name: &str, phone: &str, email: &str, message: &str) -> anyhow::Result<()> {
    world.form(&[("name", name), ("phone", phone), ("email", email), ("message", message)]).await?.expect(200)?;
    Ok(())
}

/// The state in which a contact holds a value.
fn state<'a>(contact: &'a Value, value: &str) -> Option<&'a str> {
    let identities = contact["identities"].as_array()?;
    identities.iter().find(|identity| identity["value"] == value)?["state"].as_str()
}

/// Every contact in full, oldest first.
async fn contacts(world: &World) -> anyhow::Result<Vec<Value>> {
    let mut full = Vec::new();
    for contact in world.all("/contacts").await? {
        full.push(world.get(&format!("/contacts/{}", contact["id"])).await?);
    }
    full.sort_by_key(|contact| contact["id"].as_i64());
    Ok(full)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_at_once_are_one_person_and_one_lead() -> anyhow::Result<()> {
    const SPELLINGS: [&str; 8] = [
        "+7 (916) 123-45-67",
        "8 916 123 45 67",
        "79161234567",
        "+79161234567",
        "8(916)1234567",
        "916 123-45-67",
        "007 916 123-45-67",
        "+7.916.123.45.67",
    ];
    let world = World::new(&Setup::default()).await?;
    let mut posts = JoinSet::new();
    for n in 0..32 {
        let fields = [("name", "Анна Петрова".to_owned()), ("phone", SPELLINGS[n % 8].to_owned()), ("_id", format!("n{n}"))];
        let request = world.web.post(world.gateway.action()).form(&fields);
        posts.spawn(send(request));
    }
    while let Some(answer) = posts.join_next().await {
        answer??.expect(200)?;
    }
    let lead = world.only_lead().await?;
    assert_eq!(lead["activities"], 32);
    assert_eq!(lead["timeline"].as_array().context("a timeline")?.len(), 32);
    let contacts = contacts(&world).await?;
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    assert_eq!(contacts[0]["identities"].as_array().context("identities")?.len(), 1, "{}", contacts[0]);
    assert_eq!(state(&contacts[0], "+79161234567"), Some("active"));
    assert_eq!(world.submissions("created").await?.len(), 1);
    assert_eq!(world.submissions("attached").await?.len(), 31);
    Ok(())
}

#[tokio::test]
async fn a_family_s_phone_is_two_people_and_a_pair_to_look_at() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    deliver(&world, "Анна Петрова", "+7 916 400-00-01", "", "one").await?;
    deliver(&world, "Сергей Волков", "8 916 400 00 01", "", "two").await?;
    let contacts = contacts(&world).await?;
    assert_eq!(contacts.len(), 2, "{contacts:?}");
    assert_eq!(world.leads().await?.len(), 2);
    for contact in &contacts {
        assert_eq!(state(contact, "+79164000001"), Some("shared"), "{contact}");
        assert_eq!(contact["reviews"].as_array().context("reviews")?.len(), 1);
    }
    assert_eq!(world.all("/reviews").await?.len(), 1);
    let told = world.gateway.cli(&["reviews"]).await?;
    assert!(told.contains("contradicts"), "the pair is explained: {told}");

    // A short form of the first name is still her; no name goes to whose enquiry is the newest, and says so.
    deliver(&world, "Аня", "+7 916 400-00-01", "", "three").await?;
    deliver(&world, "", "+7 916 400-00-01", "", "four").await?;
    let leads = world.leads().await?;
    assert_eq!(leads.len(), 2);
    let counts: Vec<_> =
        leads.iter().map(|lead| (lead["name"].as_str().unwrap_or_default(), lead["activities"].as_i64())).collect();
    assert_eq!(counts, [("Сергей Волков", Some(2)), ("Анна Петрова", Some(2))]);
    let newest = world.get(&format!("/leads/{}", leads[0]["id"])).await?;
    assert_eq!(
        (&newest["timeline"][0]["ambiguous"], &newest["timeline"][1]["ambiguous"]),
        (&false.into(), &true.into()),
        "{newest}"
    );
    assert_eq!(world.all("/reviews").await?.len(), 1, "one pair, not one a delivery");
    Ok(())
}

#[tokio::test]
async fn a_stranger_with_a_victim_s_phone_does_not_get_the_victim_s_mail() -> anyhow::Result<()> {
    let world = World::new(&Setup::default()).await?;
    // The victim is known; the stranger writes their phone, no name, and an address of his own.
    deliver(&world, "Вера Ким", "+7 916 500-00-01", "", "victim").await?;
    deliver(&world, "", "+7 916 500-00-01", "stranger@mail.ru", "stranger").await?;
    let known = contacts(&world).await?;
    assert_eq!(known.len(), 1);
    assert_eq!(state(&known[0], "stranger@mail.ru"), Some("claimed"), "kept, and proves nothing: {}", known[0]);
    // What comes from that address alone is not the victim's.
    deliver(&world, "Егор Ли", "", "stranger@mail.ru", "his own").await?;
    let after = contacts(&world).await?;
    assert_eq!(after.len(), 2, "{after:?}");
    assert_eq!(after[1]["name"], "Егор Ли");

    // The other order: the stranger comes first with the victim's phone and his address; then the victim's own mail.
    deliver(&world, "Лев Толстов", "+7 916 500-00-02", "lev@mail.ru", "stranger first").await?;
    deliver(&world, "Инна Чурикова", "+7 916 500-00-02", "inna@mail.ru", "victim second").await?;
    deliver(&world, "Инна Чурикова", "", "inna@mail.ru", "victim's own").await?;
    let after = contacts(&world).await?;
    let inna = after.iter().find(|contact| contact["name"] == "Инна Чурикова").context("the victim is a contact of her own")?;
    let lev = after.iter().find(|contact| contact["name"] == "Лев Толстов").context("so is the stranger")?;
    assert_eq!(state(inna, "inna@mail.ru"), Some("active"), "{inna}");
    assert_eq!(state(lev, "inna@mail.ru"), None, "{lev}");
    let leads = world.all(&format!("/leads?contact={}", inna["id"])).await?;
    assert_eq!(leads.len(), 1);
    assert_eq!(leads[0]["activities"], 2, "her own mail is on her own lead");
    Ok(())
}

#[tokio::test]
async fn the_company_s_own_numbers_make_no_customers() -> anyhow::Result<()> {
    let setup = Setup { company: "phones = [\"+7 495 123-45-67\"]\ndomains = [\"company.ru\"]".to_owned(), ..Setup::default() };
    let world = World::new(&setup).await?;
    deliver(&world, "Менеджер", "8 (495) 123-45-67", "anna@company.ru", "a try").await?;
    let lead = world.only_lead().await?;
    assert_eq!(lead["test"], true, "{lead}");
    deliver(&world, "Пётр", "8 (495) 123-45-67", "petr@mail.ru", "real").await?;
    let leads = world.leads().await?;
    assert_eq!((leads.len(), &leads[0]["test"]), (2, &Value::Bool(false)), "{leads:?}");
    Ok(())
}
