//! JSON Schema of the config file and of probe declarations, for editors. Made of the tables that
//! the decoder reads by, so that it cannot say anything else.

use serde_json::{Map, Value, json};

use super::keys::CONFIG;
use super::keys::declaration::DECLARATION;
use super::keys::forms::PROBE_NAME;
use super::shape::{Key, Shape};

/// Of the config file (draft 2020-12).
pub fn config_schema() -> Value {
    document("readyd's config file", object(CONFIG))
}

/// Of one file in `probes.d`.
pub fn declaration_schema() -> Value {
    let mut body = object(DECLARATION);
    body["properties"]["name"] = json!({"type": "string", "pattern": PROBE_NAME.pattern});
    body["required"] = json!(["name"]);
    document("A readyd probe", body)
}

fn document(title: &str, mut body: Value) -> Value {
    body["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    body["title"] = json!(title);
    body
}

fn object(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let mut property = shape(key.shape);
            property["description"] = json!(description(key));
            (key.name.to_owned(), property)
        })
        .collect();
    json!({"type": ["object", "null"], "properties": properties, "additionalProperties": false})
}

fn description(key: &Key) -> String {
    match key.example {
        "" => key.about.to_owned(),
        example => format!("{} Example: {example}", key.about),
    }
}

/// Nothing after the colon means "not set", so null is accepted everywhere.
fn shape(shape_of: &Shape) -> Value {
    match shape_of {
        // A number or boolean without quotes is text as well.
        Shape::Text { bytes_max } => {
            json!({"type": ["string", "number", "boolean", "null"], "minLength": 1, "maxLength": bytes_max})
        }
        Shape::Word(word) => match word.pattern {
            Some(pattern) => json!({"type": ["string", "integer", "null"], "pattern": pattern}),
            None => json!({"type": ["string", "null"]}),
        },
        Shape::Bool => json!({"type": ["boolean", "null"]}),
        Shape::Count { min, max: u64::MAX } => json!({"type": ["integer", "null"], "minimum": min}),
        Shape::Count { min, max } => json!({"type": ["integer", "null"], "minimum": min, "maximum": max}),
        Shape::Factor { min, max } => json!({"type": ["number", "null"], "minimum": min, "maximum": max}),
        Shape::Duration { .. } => pattern("^[0-9]+(ms|s|m|h|d)$"),
        Shape::Size => pattern("^([0-9]+(B|KiB|MiB|GiB|TiB)|0)$"),
        Shape::Share => pattern("^[0-9]+(\\.[0-9]+)?%$"),
        Shape::Amount => pattern("^([0-9]+(B|KiB|MiB|GiB|TiB)|0|[0-9]+(\\.[0-9]+)?%)$"),
        Shape::OneOf(words) => {
            let mut words: Vec<Value> = words.iter().map(|word| json!(word)).collect();
            words.push(Value::Null);
            json!({"enum": words})
        }
        Shape::List { of, items_max } => {
            json!({"type": ["array", "null"], "items": shape(of), "maxItems": items_max})
        }
        Shape::Map { key, of, entries_max } => json!({
            "type": ["object", "null"],
            "propertyNames": key.pattern.map_or(json!({}), |pattern| json!({"pattern": pattern})),
            "additionalProperties": shape(of),
            "maxProperties": entries_max,
        }),
        Shape::Object(keys) => object(keys),
        Shape::Either { single, other } => json!({"anyOf": [shape(single), shape(other)]}),
        Shape::Data => json!({}),
    }
}

fn pattern(pattern: &str) -> Value {
    json!({"type": ["string", "integer", "null"], "pattern": pattern})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_of_the_tables_is_in_the_schema_and_nothing_else() {
        same(CONFIG, &config_schema());
        let mut declaration = declaration_schema();
        declaration["properties"].as_object_mut().unwrap().remove("name");
        same(DECLARATION, &declaration);
    }

    fn same(keys: &[Key], schema: &Value) {
        let properties = schema["properties"].as_object().unwrap();
        let mut names: Vec<_> = keys.iter().map(|key| key.name).collect();
        names.sort_unstable();
        let shown: Vec<_> = properties.keys().map(String::as_str).collect();
        assert_eq!(shown, names);
        assert_eq!(schema["additionalProperties"], json!(false));
        for key in keys {
            let below = &properties[key.name];
            assert_eq!(below["description"], json!(description(key)));
            match key.shape {
                Shape::Object(keys) => same(keys, below),
                Shape::Map {
                    of: Shape::Object(keys),
                    ..
                } => same(keys, &below["additionalProperties"]),
                _ => {}
            }
        }
    }
}
