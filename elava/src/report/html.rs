//! Markup that is safe by its type: what is not written in this program is escaped on its way in.

use std::fmt::Write as _;

/// A piece of HTML or SVG.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Html(String);

impl Html {
    /// Markup of our own: `'static`, so that nothing that was asked gets in by here.
    pub(super) fn markup(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// Text from anywhere.
    pub(super) fn text(text: &str) -> Self {
        let mut html = Self::default();
        html.escape(text);
        html
    }

    /// With this after it.
    pub(super) fn and(mut self, next: Self) -> Self {
        self.push(next);
        self
    }

    /// Appends this.
    pub(super) fn push(&mut self, next: Self) {
        self.0.push_str(&next.0);
    }

    /// As it is written.
    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn escape(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(' '),
                // no document may have them
                character if character.is_control() => self.0.push('\u{fffd}'),
                // they would turn around the text that follows
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => self.0.push('\u{fffd}'),
                character => self.0.push(character),
            }
        }
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<T: IntoIterator<Item = Html>>(pieces: T) -> Self {
        pieces.into_iter().fold(Self::default(), Self::and)
    }
}

/// An element with attributes, whose values are escaped, and what is in it.
pub(super) fn element(name: &'static str, attributes: &[(&'static str, &str)], content: Html) -> Html {
    let mut html = Html::default();
    write!(html.0, "<{name}").expect("a string");
    for (attribute, value) in attributes {
        write!(html.0, " {attribute}=\"").expect("a string");
        html.escape(value);
        html.0.push('"');
    }
    html.0.push('>');
    html.push(content);
    write!(html.0, "</{name}>").expect("a string");
    html
}

/// An element with a text in it.
pub(super) fn labelled(name: &'static str, attributes: &[(&'static str, &str)], text: &str) -> Html {
    element(name, attributes, Html::text(text))
}

/// A table with a header row; cells are aligned by the class of their column.
pub(super) fn table(columns: &[(&str, &'static str)], rows: impl IntoIterator<Item = Vec<Html>>) -> Html {
    let head =
        columns.iter().map(|(name, class)| labelled("th", &[("scope", "col"), ("class", *class)], name)).collect();
    let cell = |(cell, (_, class)): (Html, &(&str, &'static str))| element("td", &[("class", *class)], cell);
    let body = rows
        .into_iter()
        .map(|row| element("tr", &[], row.into_iter().zip(columns).map(cell).collect()) + "\n")
        .collect();
    let head = element("thead", &[], element("tr", &[], head));
    element("div", &[("class", "wide")], element("table", &[], head.and(element("tbody", &[], body))))
}

impl std::ops::Add<&'static str> for Html {
    type Output = Self;

    fn add(self, markup: &'static str) -> Self {
        self.and(Self::markup(markup))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_comes_from_elsewhere_is_escaped() {
        for (text, expected) in [
            ("web-1", "web-1"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a & b", "a &amp; b"),
            ("\"><img src=x onerror='x'>", "&quot;&gt;&lt;img src=x onerror=&#39;x&#39;&gt;"),
            ("two\nlines", "two lines"),
            ("nul\0 bell\u{7}", "nul\u{fffd} bell\u{fffd}"),
            ("\u{202e}gnp.exe", "\u{fffd}gnp.exe"),
            ("größe 日本", "größe 日本"),
        ] {
            assert_eq!(Html::text(text).into_string(), expected);
        }
    }

    #[test]
    fn elements_have_attributes_and_content() {
        let hostile = "\" onmouseover=\"x";
        let html = element("p", &[("title", hostile)], Html::text("<b>") + "<br>");
        expect![[r#"<p title="&quot; onmouseover=&quot;x">&lt;b&gt;<br></p>"#]].assert_eq(&html.into_string());
    }

    #[test]
    fn tables_have_a_header() {
        let html = table(&[("key", "text"), ("changes", "number")], [vec![Html::text("<a>"), Html::text("3")]]);
        expect![[r#"
            <div class="wide"><table><thead><tr><th scope="col" class="text">key</th><th scope="col" class="number">changes</th></tr></thead><tbody><tr><td class="text">&lt;a&gt;</td><td class="number">3</td></tr>
            </tbody></table></div>"#]]
        .assert_eq(&html.into_string());
    }
}
