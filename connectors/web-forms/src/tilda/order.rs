//! A cart: Tilda has sent it as nested fields, as one JSON text with products as texts, and as JSON with products as objects.

use leadgate_core::submission::{Field, Order, OrderLine};
use leadgate_core::text;
use leadgate_wire::json::Json;

use super::money::{minor_units, times};

/// The field it comes in.
pub(super) const FIELD: &str = "payment";

/// Reads an order; `None`: it is none.
pub(super) fn read(payment: &Json) -> Option<Order> {
    match payment {
        Json::Text(inner) => {
            Json::parse(inner.trim()).ok().filter(|json| matches!(json, Json::Object(_))).as_ref().and_then(read)
        }
        Json::Object(pairs) => Some(object(pairs)),
        // A list of one, as some relays wrap it.
        Json::List(items) => {
            items.first().filter(|_| items.len() == 1).filter(|item| matches!(item, Json::Object(_))).and_then(read)
        }
        _ => None,
    }
}

fn object(pairs: &[(String, Json)]) -> Order {
    let mut order = Order::default();
    let mut status = None;
    for (key, value) in pairs {
        let scalar = value.text().as_deref().and_then(text::present);
        match (key.trim().to_lowercase().as_str(), scalar) {
            ("products", _) => order.lines = lines(value),
            (_, None) => {}
            ("orderid" | "order_id", Some(id)) if id != "0" => order.id = Some(text::cut(&id, 200).to_owned()),
            ("amount", Some(amount)) => match minor_units(&amount) {
                Some(units) => order.amount = Some(units),
                None => order.details.push(Field { name: key.clone(), value: amount }),
            },
            ("currency", Some(code)) if code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic()) => {
                order.currency = Some(code.to_uppercase());
            }
            (name, Some(value)) => {
                if name == "systranid" && value != "0" {
                    order.paid = true;
                }
                if name == "status" || name == "payment_status" {
                    status = Some(value.to_lowercase());
                }
                order.details.push(Field { name: key.clone(), value });
            }
        }
    }
    match status.as_deref() {
        Some("paid" | "success" | "succeeded" | "completed" | "оплачен") => order.paid = true,
        Some("unpaid" | "pending" | "failed" | "canceled" | "cancelled" | "не оплачен") => order.paid = false,
        _ => {}
    }
    order
}

/// A detail of an order.
pub(super) fn detail<'a>(order: &'a Order, name: &str) -> Option<&'a str> {
    order.details.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.as_str())
}

fn lines(products: &Json) -> Vec<OrderLine> {
    match products {
        Json::List(items) => items.iter().filter_map(line).collect(),
        // Nested fields with odd numbers come as an object.
        Json::Object(items) => items.iter().filter_map(|(_, item)| line(item)).collect(),
        Json::Text(inner) => match Json::parse(inner.trim()) {
            Ok(json) if json.is_container() => lines(&json),
            _ => line(products).into_iter().collect(),
        },
        _ => Vec::new(),
    }
}

fn line(product: &Json) -> Option<OrderLine> {
    match product {
        Json::Object(_) => Some(from_object(product)),
        Json::Text(text) => text::present(text).map(|text| from_text(&text)),
        _ => None,
    }
}

fn from_object(product: &Json) -> OrderLine {
    let scalar = |name: &str| product.get(name).and_then(Json::text).as_deref().and_then(text::present);
    let name = scalar("name").or_else(|| scalar("title")).unwrap_or_default();
    let quantity = scalar("quantity").or_else(|| scalar("qty"));
    let chosen: Vec<String> = match product.get("options") {
        Some(Json::List(options)) => options.iter().filter_map(option).collect(),
        Some(Json::Object(options)) => options.iter().filter_map(|(_, item)| option(item)).collect(),
        _ => Vec::new(),
    };
    let price = scalar("price").as_deref().and_then(minor_units);
    let amount = scalar("amount").as_deref().and_then(minor_units).or_else(|| match quantity.as_deref() {
        Some(quantity) => price.and_then(|price| times(price, quantity)),
        None => price,
    });
    let name = if chosen.is_empty() { name } else { format!("{name} ({})", chosen.join(", ")) };
    OrderLine { name, quantity, amount, sku: scalar("sku") }
}

fn option(option: &Json) -> Option<String> {
    if let Json::Text(text) = option {
        return text::present(text);
    }
    let scalar = |name: &str| option.get(name).and_then(Json::text).as_deref().and_then(text::present);
    match (scalar("option"), scalar("variant")) {
        (Some(name), Some(variant)) => Some(format!("{name}: {variant}")),
        (name, variant) => name.or(variant),
    }
}

/// `Mug (blue)=390`, `Mug x 2 ≡ 780` or `Mug - 2x390 = 780`; anything else is a name.
fn from_text(text: &str) -> OrderLine {
    let unpriced = || OrderLine { name: text.to_owned(), ..OrderLine::default() };
    let Some((left, amount)) = text.rsplit_once(['≡', '=']) else { return unpriced() };
    let Some(amount) = minor_units(amount) else { return unpriced() };
    let (name, quantity) = counted(left.trim_end());
    OrderLine { name: name.trim().to_owned(), quantity, amount: Some(amount), sku: None }
}

/// The count at the end of a product's text.
fn counted(left: &str) -> (&str, Option<String>) {
    let count = |text: &str| {
        let text = text.trim();
        (!text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')).then(|| text.to_owned())
    };
    let Some((before, after)) = left.rsplit_once(['x', 'х', '×']) else { return (left, None) };
    if before.ends_with(' ')
        && let Some(quantity) = count(after)
    {
        return (before, Some(quantity));
    }
    // `- 2x390`
    if let Some((name, quantity)) = before.rsplit_once(" - ")
        && let (Some(quantity), Some(_)) = (count(quantity), minor_units(after))
    {
        return (name, Some(quantity));
    }
    (left, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> (String, Option<String>, Option<i64>) {
        let line = from_text(text);
        (line.name, line.quantity, line.amount)
    }

    #[test]
    fn products_as_texts() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(line("Кружка (цвет: синий)=390"), ("Кружка (цвет: синий)".to_owned(), None, Some(39_000)));
        assert_eq!(line("Кружка x 2 ≡ 780"), ("Кружка".to_owned(), some("2"), Some(78_000)));
        assert_eq!(line("Кружка - 2x390 = 780"), ("Кружка".to_owned(), some("2"), Some(78_000)));
        assert_eq!(line("Box=small"), ("Box=small".to_owned(), None, None));
        assert_eq!(line("Lux=1 390,50"), ("Lux".to_owned(), None, Some(139_050)));
        assert_eq!(line("Только имя"), ("Только имя".to_owned(), None, None));
    }

    #[test]
    fn paid_only_with_a_transaction() {
        let paid = |text: &str| read(&Json::Text(text.to_owned())).map(|order| order.paid);
        assert_eq!(paid(r#"{"orderid":"1","systranid":"0"}"#), Some(false));
        assert_eq!(paid(r#"{"orderid":"1","systranid":0}"#), Some(false));
        assert_eq!(paid(r#"{"orderid":"1","systranid":"77"}"#), Some(true));
        assert_eq!(paid(r#"{"orderid":"1"}"#), Some(false));
        assert_eq!(paid("no order"), None);
        assert_eq!(paid("[]"), None);
    }
}
