//! The prompt: history, completion, one statement up to its semicolon.

use std::path::PathBuf;

use elava_detector::query::statements;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::SqlError;
use super::asker::{Asker, Open};
use super::complete::Words;
use super::source::Source;
use crate::fault;
use crate::show::{self, Format};

const HELP: &str = "\
A statement ends with a semicolon; Tab completes, Ctrl-C ends what runs.
.table .json .csv   how answers are shown
.words              names of tables, views, macros and columns
.quit               or Ctrl-D
";

/// Asks for statements until there are no more. A wrong statement is told and asked for again.
pub(super) fn run(open: Open<'_>, mut format: Format) -> Result<(), SqlError> {
    let source = open()?;
    let names = names(&source);
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
    let mut editor: Editor<Words, FileHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Words::new(names.clone())));
    let mut file = history_file();
    if let Some(file) = file.as_ref().filter(|file| file.exists()) {
        editor.load_history(file)?;
    }
    let mut asker = Asker::new(open, source)?;
    show::print(".help helps\n")?;
    loop {
        // meant for what has ended
        while asker.is_interrupted() {}
        let line = match editor.readline("elava> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        if let Some(kept) = &file
            && let Err(error) = keep(&mut editor, kept)
        {
            eprintln!("elava: the history of statements is not kept: {error}");
            file = None;
        }
        match line.trim() {
            ".quit" | ".exit" => break,
            ".help" => show::print(HELP)?,
            ".words" => show::print(&(names.join(" ") + "\n"))?,
            ".table" => format = Format::Table,
            ".json" => format = Format::Ndjson,
            ".csv" => format = Format::Csv,
            line => answer(&mut asker, line, format)?,
        }
    }
    Ok(())
}

/// Runs the statements of a line, until one fails or Ctrl-C comes.
fn answer(asker: &mut Asker<'_>, line: &str, format: Format) -> Result<(), SqlError> {
    for statement in statements(line) {
        let text = match asker.ask(statement) {
            Ok(Some(answer)) => answer.write(format),
            Ok(None) => {
                eprintln!("interrupted");
                break;
            }
            Err(error) => {
                eprintln!("{}", fault::plain(&error));
                break;
            }
        };
        for line in text.split_inclusive('\n') {
            if asker.is_interrupted() {
                eprintln!("interrupted");
                return Ok(());
            }
            show::print(line)?;
        }
    }
    Ok(())
}

fn names(source: &Source) -> Vec<String> {
    let answer = source.ask(include_str!("words.sql")).unwrap_or_default();
    answer.rows.iter().filter_map(|row| serde_json::from_str(row.first()?.get()).ok()).collect()
}

fn keep(editor: &mut Editor<Words, FileHistory>, file: &std::path::Path) -> rustyline::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    editor.append_history(file)
}

/// `$XDG_STATE_HOME/elava/sql_history`, by default under `~/.local/state`.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).map(|state| state.join("elava/sql_history"))
}
