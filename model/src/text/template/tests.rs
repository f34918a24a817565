//! Prompts are those that transformers writes (`tests/fixtures/chat/make.py`).

use std::{collections::BTreeMap, time::Duration};

use super::*;

#[derive(Deserialize)]
struct Fixture {
    now: u64,
    tokens: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    name: String,
    conversation: Box<serde_json::value::RawValue>,
    answer: bool,
    prompt: Option<String>,
    refused: Option<String>,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/chat")
}

#[test]
fn prompts_are_those_of_transformers() {
    let text = std::fs::read_to_string(directory().join("cases.json")).unwrap();
    let fixture: Fixture = serde_json::from_str(&text).unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(fixture.now);
    assert!(fixture.cases.len() > 50);
    for case in fixture.cases {
        let (template, name) = (case.template, case.name);
        let text = std::fs::read_to_string(directory().join(&template)).unwrap();
        let chat = ChatTemplate::parse(&text, fixture.tokens.clone()).unwrap();
        let json = case.conversation.get().as_bytes();
        let conversation = Conversation::from_json(json).unwrap();
        let prompt = chat.render(&conversation, case.answer, now);
        match (case.prompt, case.refused) {
            (Some(expected), None) => assert_eq!(prompt.unwrap(), expected, "{template}, {name}"),
            (None, Some(reason)) => {
                let error = format!("{:#}", prompt.unwrap_err());
                // What the template itself says is passed on; what Python says of its types is not expected.
                if ["nobody is called", "take turns"]
                    .iter()
                    .any(|own| reason.contains(own))
                {
                    assert!(error.contains(&reason), "{template}, {name}: {error}");
                }
            }
            _ => panic!("{template}, {name}: either a prompt or a refusal"),
        }
    }
}

fn said(content: &str) -> Conversation {
    Conversation::new(&[Message {
        role: "user".into(),
        content: content.into(),
    }])
}

fn rendered(template: &str) -> Result<String, TemplateError> {
    let chat = ChatTemplate::parse(template, BTreeMap::new())?;
    chat.render(&said("hi"), true, SystemTime::UNIX_EPOCH)
}

#[test]
fn a_directory_says_where_its_template_is() {
    let dir = tempfile::tempdir().unwrap();
    let open = || ChatTemplate::open(dir.path());
    assert!(open().unwrap().is_none());
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let prompt = |conversation: &Conversation| {
        let chat = open().unwrap().expect("there is a template");
        chat.render(conversation, true, SystemTime::UNIX_EPOCH)
            .unwrap()
    };

    write(
        "tokenizer_config.json",
        r#"{"bos_token": "<s>", "model_max_length": 1e30}"#,
    );
    assert!(open().unwrap().is_none());
    write(
        "tokenizer_config.json",
        r#"{"bos_token": {"content": "<b>", "lstrip": false}, "pad_token": null, "add_bos_token": true,
            "chat_template": "{{ bos_token }}{{ messages[0].content }}"}"#,
    );
    assert_eq!(prompt(&said("hi")), "<b>hi");
    write(
        "tokenizer_config.json",
        r#"{"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}]}"#,
    );
    assert_eq!(prompt(&said("hi")), "plain");
    let with_tools = Conversation::from_json(br#"{"messages": [], "tools": [{}]}"#).unwrap();
    assert_eq!(prompt(&with_tools), "tools");
    write("chat_template.jinja", "newer");
    assert_eq!(prompt(&said("hi")), "newer");
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tokenizer_config.json");
    std::fs::write(&file, r#"{"chat_template": "#).unwrap();
    let error = ChatTemplate::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("tokenizer_config.json"), "{error}");
    std::fs::write(&file, r#"{"chat_template": "{% for %}"}"#).unwrap();
    assert!(matches!(
        ChatTemplate::open(dir.path()),
        Err(TemplateError::Syntax(_))
    ));
    assert!(Conversation::from_json(b"{}").is_err());
    let deep = format!(
        r#"{{"messages": [{}{}]}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    assert!(Conversation::from_json(deep.as_bytes()).is_err());
}

#[test]
fn no_template_runs_for_ever_or_writes_without_end() {
    let endless =
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ '' }}{% endfor %}{% endfor %}";
    assert!(matches!(rendered(endless), Err(TemplateError::Render(_))));
    let long =
        "{% for a in range(9999) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' * 100 }}{% endfor %}";
    let error = format!("{}", rendered(long).unwrap_err());
    assert!(error.contains("bytes"), "{error}");
}
