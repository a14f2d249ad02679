//! What forms call their fields, in Russian, English, Ukrainian, German, Spanish, Portuguese and French.
//!
//! Words are compared in the form [`crate::fields::label`] gives: lower case, one space between words, no fillers, no
//! trailing numbers, `ё` as `е`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::fields::Kind;

/// The words of a list.
fn words(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split('|')
}

/// Containers that services wrap fields into; they say nothing about a field.
pub(crate) const WRAPPERS: &[&str] = &[
    "fields",
    "field",
    "form_fields",
    "form-fields",
    "formfields",
    "data",
    "values",
    "answers",
    "form_data",
    "formdata",
    "form-data",
    "payload",
    "submission",
    "params",
    "body",
    "item_meta",
    "inputs",
    "input",
    "wpforms",
    "lead",
    "entry",
    "attributes",
    "properties",
    "names",
];

/// Words that say nothing: "your name", "введите телефон *".
pub(crate) static FILLERS: LazyLock<HashSet<&str>> = LazyLock::new(|| words(FILLERS_LIST).collect());

const FILLERS_LIST: &str = "your|my|enter|please|the|required|optional|no|label|txt|input|field|ваш|ваша|ваше|ваши|вашу|вашего|свой|свое|\
    свою|укажите|введите|напишите|оставьте|обязательно|поле|вкажіть|введіть|ihr|ihre|ihren|dein|deine|bitte|tu|su|\
    sus|votre|vos|seu|sua|form|erforderlich|pflichtfeld|obligatoire|obligatorio|obrigatório|obrigatorio|requerido|requis|\
    обязательное|обязательный|обязательна|ваші|вашого|обовязково|обовʼязково|escriba|introduzca|saisissez|entrez|digite|\
    geben|ein|eingeben";

/// Whole labels.
pub(crate) static PHRASES: LazyLock<HashMap<&str, Kind>> =
    LazyLock::new(|| PHRASE_LISTS.iter().flat_map(|(kind, list)| words(list).map(move |word| (word, *kind))).collect());

/// Words that decide wherever they stand, if no phrase did.
pub(crate) static TOKENS: LazyLock<HashMap<&str, Kind>> =
    LazyLock::new(|| TOKEN_LISTS.iter().flat_map(|(kind, list)| words(list).map(move |word| (word, *kind))).collect());

/// Words beside which a telephone is a thing, a time or a choice, and an e-mail a subscription.
pub(crate) static NOT_A_CONTACT: LazyLock<HashSet<&str>> = LazyLock::new(|| words(NOT_A_CONTACT_LIST).collect());

const NOT_A_CONTACT_LIST: &str = "model|brand|type|time|code|country|color|colour|imei|extension|ext|method|preferred|subject|template|confirmed|\
    verified|valid|status|модель|модели|марка|марку|бренд|тип|время|когда|код|страна|цвет|добавочный|способ|удобное|\
    удобный|поломка|ремонт|marke|modell|modelo|modele|modèle|prefix|vorwahl|mask|маска";

/// Words for a person, before the parts of a name.
pub(crate) const PERSONS: &[&str] = &[
    "customer",
    "client",
    "contact",
    "user",
    "buyer",
    "person",
    "guest",
    "visitor",
    "applicant",
    "sender",
    "billing",
    "shipping",
    "recipient",
    "patient",
    "student",
    "клиент",
    "покупатель",
    "заказчик",
    "контакт",
];

const PHRASE_LISTS: &[(Kind, &str)] = &[
    (
        Kind::Name,
        "name|names|full name|fullname|fio|first and last name|first last name|name surname|name and surname|\
         contact name|contact person|customer name|client name|buyer name|guest name|person name|lead name|visitor name|\
         applicant name|sender name|person|contactname|customername|clientname|what is name|what s name|imya|имя|фио|\
         ф и о|имя фамилия|имя и фамилия|фамилия имя|фамилия и имя|фамилия имя отчество|имя фамилия отчество|\
         имя отчество|имя и отчество|имя отчество фамилия|контактное лицо|имя клиента|имя заказчика|имя покупателя|\
         имя получателя|имя контакта|имя гостя|фио клиента|фио заказчика|фио получателя|фио покупателя|как вас зовут|\
         как к вам обращаться|как к вам можно обращаться|как вас называть|как обращаться|представьтесь|как зовут|імя|\
         імʼя|ім я|піб|прізвище та імʼя|прізвище імʼя|імʼя та прізвище|імʼя прізвище|прізвище та ім я|прізвище ім я|ім я та прізвище|ім я прізвище|як вас звати|контактна особа|\
         vor und nachname|vorname nachname|vorname und nachname|vollständiger name|ansprechpartner|name vorname|nombre|\
         nombre completo|nombre y apellido|nombre y apellidos|nombre apellido|persona de contacto|nome|nome completo|\
         nome e sobrenome|nome e apelido|nome sobrenome|nome apelido|cómo te llamas|como te llamas|como se llama|nombre apellidos|\
         nom et prénoms|nom et prenoms|nom de contact|wie heißen sie|nom|nom complet|nom prénom|nom prenom|nom et prénom|nom et prenom|prénom nom|\
         prenom nom|prénom et nom|prenom et nom|delivery fio",
    ),
    (
        Kind::NameGuess,
        "user name|user|author|contact|client|customer|клиент|заказчик|контакт|обращение|автор|автор сообщения|autor|verfasser",
    ),
    (
        Kind::GivenName,
        "first name|firstname|given name|givenname|fname|forename|name first|vorname|prénom|prenom|primeiro nome|\
         primer nombre|личное имя",
    ),
    (
        Kind::FamilyName,
        "last name|lastname|family name|familyname|surname|lname|name last|second name|фамилия|прізвище|nachname|\
         familienname|apellido|apellidos|sobrenome|apelido|nom de famille|familiya",
    ),
    (Kind::Patronymic, "отчество|по батькові|patronymic|middle name|middlename|name middle|otchestvo"),
    (
        Kind::Phone,
        "phonenumber|telephonenumber|mobilenumber|cellnumber|msisdn|contact number|contact no|numéro de contact|\
         numero de contact|número de contacto|numero de contacto|número de contato|numero de contato|контактный номер|номер для связи|контактний номер|\
         номер мобильного|callback number|call back number",
    ),
    (
        Kind::Email,
        "e mail|email|mail|emailaddress|электронный адрес|эл адрес|адрес электронной почты|replyto|reply to|\
         электронная почта|эл почта|електронна пошта|correo|correo electrónico|correo electronico|courriel|\
         adresse de messagerie|adresse mél|adresse mail|endereço eletrônico|endereco eletronico|dirección de correo|\
         електронна адреса",
    ),
    (
        Kind::PhoneOrEmail,
        "contacts|contact info|contact details|контакты|контактные данные|как с вами связаться|связь|номер|контакти|контактні дані",
    ),
    (
        Kind::Message,
        "message|msg|comment|comments|question|questions|inquiry|enquiry|description|details|text|textarea|note|notes|\
         body|feedback|message text|order comment|how can we help|how can we help you|сообщение|комментарий|комментарии|\
         коментарий|вопрос|текст|текст сообщения|описание|пожелания|пожелание|примечание|примечания|комментарий к заказу|\
         комментарий к заявке|суть вопроса|задача|отзыв|опишите задачу|опишите вашу задачу|опишите проблему|сообщения|\
         вопросы|soobshchenie|повідомлення|коментар|коментарі|питання|запитання|текст повідомлення|nachricht|mitteilung|\
         anmerkung|anmerkungen|bemerkung|bemerkungen|frage|anliegen|mensaje|comentario|comentarios|consulta|pregunta|\
         mensagem|comentário|comentários|pergunta|commentaire|commentaires|remarque|demande|message body|nachrichtentext|\
         wie können wir helfen|wie können wir ihnen helfen|cuerpo del mensaje|en qué podemos ayudarte|en que podemos ayudarte|\
         en qué podemos ayudarle|чем можем помочь|чем мы можем помочь|чим можемо допомогти|чим ми можемо допомогти",
    ),
    (Kind::Subject, "subject|тема|тема сообщения|тема обращения|тема письма|betreff|asunto|assunto|sujet|objet"),
    (Kind::Country, "country|country code|phone country|страна|країна|land|país|pais|pays"),
    (
        Kind::Company,
        "company|company name|organization|organisation|organization name|business name|компания|организация|\
         название компании|название организации|наименование организации|фирма|компанія|організація|firma|unternehmen|\
         firmenname|empresa|nombre de la empresa|nome da empresa|entreprise|société|societe",
    ),
    (Kind::City, "city|city name|town|город|населенный пункт|місто|stadt|ort|ciudad|cidade|ville"),
    (
        Kind::Page,
        "page|page url|pageurl|page link|url|source url|sourceurl|current url|currenturl|this page|page location|\
         location href|href|permalink|page address|source page|страница|адрес страницы|url страницы|ссылка на страницу|\
         страница отправки|сторінка|адрес url страницы|ссылка страницы|страница url|url сторінки|адреса сторінки|\
         посилання на сторінку|seiten url|seite url|url der seite|seitenadresse|seiten adresse|url de la página|url de la pagina|\
         url de página|url de pagina|página url|url da página|url da pagina|url de la page|adresse de la page|lien de la page|contact form url|\
         form url|form page|sent from page|отправлено со страницы|страница откуда была заполнена форма|страница формы",
    ),
    (
        Kind::Landing,
        "landing|landing page|landingpage|landing url|landing page url|first page|entry page|entry url|entrance|\
         страница входа|посадочная страница",
    ),
    (
        Kind::Referrer,
        "referrer|referer|http referer|http referrer|document referrer|page referrer|referer url|referrer url|ref url|previous url|previousurl|\
         источник перехода",
    ),
    (Kind::FormId, "formid|id формы|form identifier"),
    (
        Kind::FormName,
        "formname|formtitle|название формы|имя формы|форма|form title|назва форми|formularname|formular|nombre del formulario|formulario",
    ),
    (Kind::Consent, "checkbox|rules|правила|agb|tos|152 фз|фз 152|ok to contact"),
    (
        Kind::Secret,
        "pass|pwd|pan|pan number|card no|card number|cardnumber|cardnum|cc number|ccnumber|ccnum|cc num|credit card|\
         creditcard|credit card number|номер карты|номер банковской карты|номер картки|kartennummer|kreditkartennummer|\
         numero de tarjeta|número de tarjeta|numero de carte|numéro de carte|número do cartão|csc|card code|\
         security code|card security code|api key|apikey|x api key|access key|accesskey|secret key|secretkey|private key|\
         token|access token|accesstoken|auth token|authtoken|api token|apitoken|refresh token|bearer|authorization|\
         google key|session id|sessionid|phpsessid|pin code card|contrasena|parole",
    ),
];

const TOKEN_LISTS: &[(Kind, &str)] = &[
    (Kind::Secret, "password|passwd|passwort|kennwort|passphrase|пароль|пароля|contraseña|senha|secret|cvv|cvc|cvv2|cvc2"),
    (
        Kind::Consent,
        "consent|consents|agree|agreed|agreement|accept|accepted|acceptance|gdpr|rgpd|dsgvo|lgpd|privacy|policy|terms|\
         tos|subscribe|subscription|newsletter|optin|согласие|согласен|согласна|соглашаюсь|соглашение|политика|политикой|\
         персональных|персональные|оферта|оферты|офертой|рассылка|рассылку|подписка|подписаться|згода|погоджуюсь|\
         персональних|datenschutz|datenschutzerklärung|einwilligung|zustimmung|consentimiento|privacidad|acepto|\
         consentimento|privacidade|aceito|consentement|confidentialité|accepte",
    ),
    (
        Kind::Email,
        "email|emails|mail|e-mail|emailaddress|почта|почту|почты|имейл|имэйл|емейл|емайл|мейл|мэйл|мыло|електронна|пошта|\
         пошти|correo|courriel|mailadresse|emailadresse",
    ),
    (
        Kind::Phone,
        "phone|phones|telephone|tel|telefon|telefonnummer|telefono|teléfono|telefone|téléphone|mobile|mobil|mobiltelefon|\
         cell|cellphone|cellular|handy|handynummer|mobilnummer|rufnummer|telefonnr|gsm|celular|movil|móvil|telemovel|telemóvel|portable|\
         телефон|телефона|телефону|телефоне|телефоном|телефоны|тел|моб|мобильный|мобильного|сотовый|сотового|мобільний|\
         phonenumber|fon",
    ),
    (Kind::Messenger, "whatsapp|viber|ватсап|вотсап|вацап|вайбер|signal|telegram|телеграм"),
    (Kind::Message, "message|comment|comments|сообщение|комментарий|комментарии|nachricht|mensaje|mensagem"),
];

/// Beginnings of names that software puts into forms for itself.
pub(crate) const SERVICE_PREFIXES: &[&str] = &[
    "_wpcf7",
    "_wpnonce",
    "_wp_http_referer",
    "__requestverificationtoken",
    "__viewstate",
    "__event",
    "cf-turnstile",
    "_mc4wp",
    "wpforms[",
    "_fluentform_",
    "__fluent",
    "gform_",
];

/// Names that software puts into forms for itself, in lower case.
pub(crate) static SERVICE: LazyLock<HashSet<&str>> = LazyLock::new(|| words(SERVICE_LIST).collect());

const SERVICE_LIST: &str = "g-recaptcha-response|h-captcha-response|cf-turnstile-response|frc-captcha-solution|frc-captcha-response|\
    smart-token|altcha|botpoison|_botpoison|recaptcha|recaptcha_response|recaptcha_token|recaptcha-token|captcha|\
    _captcha|captcha_token|captcha_sid|captcha_word|csrf|_csrf|csrf_token|csrf-token|csrftoken|_csrf_token|xsrf|\
    _xsrf|csrfmiddlewaretoken|authenticity_token|_token|_nonce|nonce|security|utf8|_method|_charset_|form_build_id|\
    form_token|form_key|sessid|ak_js|ak_hp_textarea|captcha-1|captcha_1|contact-form-id|contact-form-hash|\
    jetpack_contact_form_jwt|forminator_nonce|_wp_http_referer|bxajaxid|max_file_size|submit|_submit|_template|_cc|_autoresponse|_format|_ajax|\
    is_ajax|ajax|action|_blacklist|_webhook|quform_csrf_token";
