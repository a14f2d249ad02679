use super::*;

struct Case {
    from: (&'static str, &'static str),
    subject: Option<&'static str>,
    text: &'static str,
    above: &'static str,
}

fn mail(subject: &str, text: &str) -> Mail {
    Mail { subject: subject.to_owned(), text: text.to_owned(), ..Mail::default() }
}

#[track_caller]
fn is(subject: &str, text: &str, case: &Case) {
    let found = forwarded(&mail(subject, text)).unwrap_or_else(|| panic!("not found: {text}"));
    assert_eq!((found.from.name.as_str(), found.from.address.as_str()), case.from, "{text}");
    assert_eq!(found.subject.as_deref(), case.subject, "{text}");
    assert_eq!(found.text, case.text, "{text}");
    assert_eq!(found.above, case.above, "{text}");
}

#[test]
fn gmail() {
    let case = Case {
        from: ("Анна Кузнецова", "anna@kuznetsova.ru"),
        subject: Some("Окна в дом"),
        text: "Здравствуйте, нужны окна.\n\nАнна",
        above: "Возьми, пожалуйста",
    };
    is(
        "Fwd: Окна в дом",
        "Возьми, пожалуйста\n\n---------- Forwarded message ---------\nОт: Анна Кузнецова <anna@kuznetsova.ru>\nDate: пн, 16 нояб. 2026 г. \
         в 10:00\nSubject: Окна в дом\nTo: <info@okna.ru>\n\n\nЗдравствуйте, нужны окна.\n\nАнна\n",
        &case,
    );
    is(
        "Окна",
        "Возьми, пожалуйста\r\n\r\n---------- Forwarded message ----------\r\nFrom: *Анна Кузнецова* <anna@kuznetsova.ru>\r\nDate: \
         2026-11-16 10:00 GMT+03:00\r\nSubject: Окна в дом\r\nTo: info@okna.ru, \"Отдел продаж\"\r\n <sales@okna.ru>\r\n\r\n\
         Здравствуйте, нужны окна.\r\n\r\nАнна\r\n",
        &case,
    );
}

#[test]
fn outlook_in_five_languages() {
    for (subject, head) in [
        ("FW: Prices", "From: Max Weber <max@weber.de>\nSent: Monday, November 16, 2026 10:00 AM\nTo: Sales\nSubject: Prices"),
        ("Пересл: Prices", "От: Max Weber <max@weber.de>\nОтправлено: 16 ноября 2026 г. 10:00\nКому: Sales\nТема: Prices"),
        (
            "ПЕРЕСЛ: Prices",
            "Від: Max Weber [mailto:max@weber.de]\nНадіслано: 16 листопада 2026 р. 10:00\nКому: Sales\nТема: Prices",
        ),
        ("WG: Prices", "Von: Max Weber <max@weber.de>\nGesendet: Montag, 16. November 2026 10:00\nAn: Sales\nBetreff: Prices"),
        (
            "RV: Prices",
            "De: Max Weber <mailto:max@weber.de>\nEnviado el: lunes, 16 de noviembre de 2026 10:00\nPara: Sales\nAsunto: Prices",
        ),
        ("Fw: Prices", "*From:* Max Weber <max@weber.de>\n*Sent:* Monday, November 16, 2026\n*To:* Sales\n*Subject:* Prices"),
    ] {
        let text = format!("Please call.\n\n________________________________\n{head}\n\nHello,\nhow much?\n");
        let case = Case {
            from: ("Max Weber", "max@weber.de"),
            subject: Some("Prices"),
            text: "Hello,\nhow much?",
            above: "Please call.",
        };
        is(subject, &text, &case);
    }
}

#[test]
fn apple_thunderbird_mail_ru_and_yandex() {
    let case = |above| Case { from: ("Eva Ruiz", "eva@ruiz.es"), subject: Some("Consulta"), text: "Hola\n\n¿precio?", above };
    let head = "From: Eva Ruiz <eva@ruiz.es>\nSubject: Consulta\nDate: 16 November 2026 at 10:00:00 CET\nTo: info@firma.es";
    is("Fwd: Consulta", &format!("Begin forwarded message:\n\n{head}\n\nHola\n\n¿precio?\n"), &case(""));
    let quoted = format!("> {head}\n\nHola\n\n¿precio?").replace('\n', "\n> ");
    is("Fwd: Consulta", &format!("FYI\n\n> Begin forwarded message:\n>\n{quoted}"), &case("FYI"));
    for (marker, end) in [
        ("Inicio del mensaje reenviado:", ""),
        ("Anfang der weitergeleiteten Nachricht:", ""),
        ("Начало переадресованного сообщения:", ""),
        ("-------- Forwarded Message --------", ""),
        ("-------- Перенаправленное сообщение --------", ""),
        ("-------- Weitergeleitete Nachricht --------", ""),
        ("-------- Mensaje reenviado --------", ""),
        ("-------- Переслане повідомлення --------", ""),
        ("-------- Пересылаемое сообщение --------", "\n-------- Конец пересылаемого сообщения --------"),
    ] {
        let head = "Тема: \tConsulta\nДата: \tMon, 16 Nov 2026 10:00\nОт: \tEva Ruiz <eva@ruiz.es>\nКому: \tinfo@firma.es";
        is("Consulta", &format!("FYI\n\n{marker}\n{head}\n\nHola\n\n¿precio?\n{end}"), &case("FYI"));
    }
    let yandex = "FYI\n\n-------- Пересылаемое сообщение --------\n16.11.2026, 10:00, \"Eva Ruiz\" <eva@ruiz.es>:\n\nHola\n\n¿precio?\n\n\
                  -------- Конец пересылаемого сообщения --------\n";
    is("Fwd: Consulta", yandex, &Case { subject: None, ..case("FYI") });
}

#[test]
fn odd_heads() {
    // The address on a line of its own, and none at all.
    let text =
        "-------- Forwarded message --------\nFrom: Very Long Name\n<long@name.org>\nDate: today\nSubject: One\n two\n\nHi";
    let case = Case { from: ("Very Long Name", "long@name.org"), subject: Some("One two"), text: "Hi", above: "" };
    is("Fwd: One", text, &case);
    let text = "From: Petrov Ivan\nSent: Monday\nTo: Sales\nSubject: One\n\nHi";
    is("FW: One", text, &Case { from: ("Petrov Ivan", ""), subject: Some("One"), text: "Hi", above: "" });
    let text = "---------- Forwarded message ---------\nFrom: <bare@name.org>\nSubject: One\n\nHi";
    is("FW: One", text, &Case { from: ("", "bare@name.org"), subject: Some("One"), text: "Hi", above: "" });
}

#[test]
fn attached_mails() {
    let inner = Mail {
        subject: "Prices".to_owned(),
        from: vec![Address { name: "Max".to_owned(), address: "max@weber.de".to_owned() }],
        text: "Hello".to_owned(),
        ..Mail::default()
    };
    let outer = Mail { inside: vec![inner.clone()], ..mail("Prices", "See attachment\n") };
    let found = forwarded(&outer).unwrap();
    assert_eq!(
        (found.from.address.as_str(), found.text.as_str(), found.above.as_str()),
        ("max@weber.de", "Hello", "See attachment")
    );
    let bounce = Mail { report: Some(crate::mime::Report::default()), inside: vec![inner], ..mail("Undelivered", "") };
    assert_eq!(forwarded(&bounce), None);
}

#[test]
fn what_is_no_forward() {
    let head = "From: Max Weber <max@weber.de>\nSent: Monday\nTo: Sales\nSubject: Prices\n\nHello";
    for (subject, text) in [
        // An answer with the mail it answers below.
        ("Re: Prices", format!("Thanks\n\n{head}")),
        ("Prices", format!("Thanks\n\n-----Original Message-----\n{head}")),
        ("Re: Fwd: Prices", format!("Thanks\n\n---------- Forwarded message ---------\n{head}")),
        // Speaking of it.
        ("Question", "I got a forwarded message from you:\nplease explain".to_owned()),
        ("Fwd: Question", "From: me\nwith love".to_owned()),
        ("Fwd: Question", "---------- Forwarded message ---------".to_owned()),
        ("Fwd: Question", "---------- Forwarded message ---------\nand nothing else".to_owned()),
        ("Fwd: photos", String::new()),
    ] {
        assert_eq!(forwarded(&mail(subject, &text)), None, "{subject}: {text}");
    }
}

#[test]
fn hostile_texts_are_read_once() {
    for piece in [
        "---------- Forwarded message ---------\n",
        "From: a\n",
        "From:\n",
        "From:\nTo: a\nTo: a\n",
        "> > >",
        "\n",
        "From: a@b.example\nTo: c\nDate: d\n",
        "-",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let found = forwarded(&mail("Fwd: x", &text));
        assert!(found.is_none_or(|found| found.text.len() <= text.len()));
    }
}
