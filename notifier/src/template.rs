//! The words of a channel, where people have chosen their own.

use elava_schemas::config::Templates;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use tracing::warn;

use crate::notice::{Notice, NoticeKind};

/// What a template can name; docs/notifications.md says what each is.
const NAMES: [&str; 13] = [
    "kind",
    "count",
    "more",
    "resolved",
    "came_and_went",
    "owner",
    "severity",
    "state",
    "title",
    "body",
    "resource",
    "decision",
    "decisions",
];

/// The templates of one channel.
#[derive(Debug)]
pub(crate) struct Words {
    environment: Environment<'static>,
    has_title: bool,
    has_body: bool,
}

/// What is wrong with a template.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("templates.{field}: line {line}: {problem}")]
    Wrong { field: &'static str, line: usize, problem: String },
    #[error("templates.{field}: there is no `{name}`; there are {}", NAMES.join(", "))]
    Unknown { field: &'static str, name: String },
}

impl Words {
    /// Reads templates, and tries them on an example: what is wrong is found before anybody is to be told.
    pub(crate) fn new(config: &Templates, example: &Notice<'_>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        // Each channel escapes as it must.
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        for (field, source) in [("title", &config.title), ("body", &config.body)] {
            let Some(source) = source else { continue };
            environment.add_template_owned(field, source.clone()).map_err(|error| wrong(field, &error))?;
            let template = environment.get_template(field).map_err(|error| wrong(field, &error))?;
            let mut unknown: Vec<String> = template.undeclared_variables(false).into_iter().collect();
            unknown.retain(|name| {
                !NAMES.contains(&name.as_str()) && !environment.globals().any(|(known, _)| known == name)
            });
            unknown.sort();
            if let Some(name) = unknown.into_iter().next() {
                return Err(TemplateError::Unknown { field, name });
            }
            template.render(values(example)).map_err(|error| wrong(field, &error))?;
        }
        Ok(Self { environment, has_title: config.title.is_some(), has_body: config.body.is_some() })
    }

    /// Puts a message into these words. Where a template fails, the usual ones are better than none.
    pub(crate) fn apply(&self, notice: &mut Notice<'_>) {
        let values = values(notice);
        let render = |field: &'static str| {
            let rendered = self.environment.get_template(field).and_then(|template| template.render(values.clone()));
            match rendered {
                Ok(text) => Some(text),
                Err(error) => {
                    let error = wrong(field, &error).to_string();
                    warn!(error, "a template fails; the usual words are used");
                    None
                }
            }
        };
        let title = if self.has_title { render("title") } else { None };
        let body = if self.has_body { render("body") } else { None };
        notice.title = title.map(|title| title.split_whitespace().collect::<Vec<_>>().join(" "));
        notice.body = body;
    }
}

fn wrong(field: &'static str, error: &minijinja::Error) -> TemplateError {
    let problem = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    TemplateError::Wrong { field, line: error.line().unwrap_or(1), problem }
}

fn values(notice: &Notice<'_>) -> Value {
    let (resolved, came_and_went) = match notice.kind {
        NoticeKind::Digest { resolved, came_and_went, .. } => (resolved, came_and_went),
        NoticeKind::One | NoticeKind::Group { .. } => (0, 0),
    };
    context! {
        kind => notice.kind.as_str(),
        count => notice.kind.count(),
        more => notice.more(),
        resolved => resolved,
        came_and_went => came_and_went,
        owner => notice.owner.as_deref(),
        severity => notice.severity().as_str(),
        state => notice.first().state.as_str(),
        title => notice.headline(),
        body => notice.lines().join("\n"),
        resource => notice.first().resource_key.to_string(),
        decision => Value::from(Serde(notice.first())),
        decisions => Value::from(Serde(&notice.decisions)),
    }
}
