//! The prompt: history, completion, one statement up to its semicolon.

use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::complete::Words;
use super::source::Source;
use super::write;
use crate::show::{self, Format};

const HELP: &str = "\
A statement ends with a semicolon; Tab completes.
.table .json .csv   how answers are shown
.words              names of tables, views, macros and columns
.quit               or Ctrl-D
";

/// The prompt failed.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The terminal.
    #[error("cannot use the terminal")]
    Terminal(#[source] ReadlineError),
    /// Standard output.
    #[error("cannot write")]
    Output(#[from] std::io::Error),
}

/// Asks for statements until there are no more. A wrong statement is told and asked for again.
pub(super) fn run(source: &Source, mut format: Format) -> Result<(), PromptError> {
    let names = names(source);
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
    let mut editor: Editor<Words, FileHistory> = Editor::with_config(config).map_err(PromptError::Terminal)?;
    editor.set_helper(Some(Words::new(names.clone())));
    let file = history_file();
    if let Some(file) = file.as_ref().filter(|file| file.exists()) {
        editor.load_history(file).map_err(PromptError::Terminal)?;
    }
    show::print(".help helps\n")?;
    loop {
        let line = match editor.readline("elava> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(PromptError::Terminal(error)),
        };
        match line.trim() {
            "" => {}
            ".quit" | ".exit" => break,
            ".help" => show::print(HELP)?,
            ".words" => show::print(&(names.join(" ") + "\n"))?,
            ".table" => format = Format::Table,
            ".json" => format = Format::Ndjson,
            ".csv" => format = Format::Csv,
            statement => match source.ask(statement) {
                Ok(answer) => write(&answer, format)?,
                Err(error) => eprintln!("{error}"),
            },
        }
    }
    if let Some(file) = file
        && let Err(error) = keep(&mut editor, &file)
    {
        eprintln!("elava: the history of statements is not kept: {error}");
    }
    Ok(())
}

fn names(source: &Source) -> Vec<String> {
    let answer = source.ask(include_str!("words.sql")).unwrap_or_default();
    answer.rows.iter().filter_map(|row| row["word"].as_str().map(str::to_owned)).collect()
}

fn keep(editor: &mut Editor<Words, FileHistory>, file: &std::path::Path) -> rustyline::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    editor.save_history(file)
}

/// `$XDG_STATE_HOME/elava/sql_history`, by default under `~/.local/state`.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).map(|state| state.join("elava/sql_history"))
}
