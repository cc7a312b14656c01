//! A compiled bundle: the packages that decide, and engines ready to be asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use elava_schemas::Severity;
use regorus::Engine;

use crate::annotations::package_annotations;
use crate::engine::{Reading, add_file, new_engine};
use crate::files::{PolicyFile, Role};
use crate::{Dialect, PolicyFiles, RegoError};

/// Packages below it decide; all others are libraries.
const DECIDING: &str = "day2";

/// The sets a package decides with, mildest first as [`Severity::ALL`].
const SETS: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warn", Severity::Warning), ("deny", Severity::Critical)];

/// What of the input depends on when it is made, and the engine's own clock.
const TIME: [&str; 5] = ["now", "resource_age_days", "changes_7d", "changes_30d", "time"];

/// Why a folder is not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file or folder cannot be read.
    #[error("cannot read the policies in {path}")]
    Read {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be parsed or compiled.
    #[error("cannot load the policies")]
    Rego(#[from] RegoError),
    /// A policy without a set to decide with would pass everything.
    #[error("{file}: package {package} decides nothing: it has none of deny, warn, info")]
    DecidesNothing {
        /// The package.
        package: String,
        /// Its file.
        file: String,
    },
    /// No policy at all would pass everything, too.
    #[error("no policy in {0}: no .rego file there has a package below `day2`")]
    Empty(PathBuf),
}

/// Policies, compiled. Shared by all who evaluate.
pub struct Bundle {
    hash: String,
    packages: Vec<Package>,
    templates: Engines,
    reads_time: bool,
    reads_previous: bool,
    /// Engines not in use: evaluating needs them to itself, and cloning them costs more than a rule.
    idle: Mutex<Vec<Engines>>,
}

/// One engine per package, in the order of the packages.
///
/// Whenever a policy says `data.…` the engine goes through all of its modules. With one engine for
/// the 33 modules shipped an instance took 540 µs, with one per package 285 µs (`opt-level = 1`).
type Engines = Vec<Engine>;

/// A package that decides.
#[derive(Clone, Debug)]
pub struct Package {
    /// Without `data.`: `day2.tags`.
    pub name: String,
    /// Its files, relative to the bundle's folder.
    pub files: Vec<String>,
    /// What it is about, in a few words.
    pub title: Option<String>,
    /// What it checks, and why.
    pub description: Option<String>,
    /// How to mend a violation that does not say so itself.
    pub suggestion: Option<String>,
    /// The severity it announces, for lists of rules.
    pub severity: Option<Severity>,
    /// The only resource types it applies to; all when `None`.
    pub types: Option<Vec<String>>,
    pub(crate) sets: Vec<DecidingSet>,
}

/// One of `deny`, `warn`, `info` of a package.
#[derive(Clone, Debug)]
pub(crate) struct DecidingSet {
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    /// `data.day2.tags.deny`
    pub(crate) path: String,
}

impl Package {
    /// Whether it has anything to say of a resource type.
    #[must_use]
    pub fn applies_to(&self, kind: &str) -> bool {
        let matches = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => kind.starts_with(prefix),
            None => pattern == kind,
        };
        self.types.as_ref().is_none_or(|types| types.iter().any(matches))
    }

    /// The severities of its sets, mildest first.
    pub fn severities(&self) -> impl Iterator<Item = Severity> {
        self.sets.iter().map(|set| set.severity)
    }
}

impl Bundle {
    /// Reads and compiles the policies of a folder.
    pub fn load(path: &Path, dialect: Dialect) -> Result<Self, BundleError> {
        let read = |source| BundleError::Read { path: path.to_owned(), source };
        Self::compile(&PolicyFiles::read(path).map_err(read)?, dialect)
    }

    /// Compiles policies. Tests are left out.
    pub fn compile(files: &PolicyFiles, dialect: Dialect) -> Result<Self, BundleError> {
        let deciding: Vec<&PolicyFile> = files.iter().filter(|file| file.role != Role::Test).collect();
        let told = |file: &str| tracing::info!(file, "policy read as rego v0; say `# rego: v0` at its top");
        let whole = engine(&deciding, dialect, told)?;
        let packages = packages(files, &whole)?;
        if packages.is_empty() {
            return Err(BundleError::Empty(files.root().to_owned()));
        }
        let template = |package: &Package| {
            let foreign = |file: &PolicyFile| {
                let others = packages.iter().filter(|other| other.name != package.name);
                others.flat_map(|other| &other.files).any(|path| *path == file.path)
            };
            let needed: Vec<&PolicyFile> = deciding.iter().copied().filter(|file| !foreign(file)).collect();
            let alone = needed.iter().all(|file| file.role != Role::Policy || stays_out_of_packages(&file.text));
            if alone { engine(&needed, dialect, |_| ()) } else { Ok(whole.clone()) }
        };
        let templates = packages.iter().map(template).collect::<Result<_, _>>()?;
        let policies = || deciding.iter().filter(|file| file.role == Role::Policy);
        let reads = |words: &[&str]| policies().any(|file| words.iter().any(|word| names(&file.text, word)));
        Ok(Self {
            hash: files.hash(),
            packages,
            templates,
            reads_time: reads(&TIME),
            reads_previous: reads(&["previous"]),
            idle: Mutex::default(),
        })
    }

    /// Whether a policy may say something else of the same resource at another time.
    #[must_use]
    pub fn reads_time(&self) -> bool {
        self.reads_time
    }

    /// Whether a policy may look at how a resource was before its last change.
    #[must_use]
    pub fn reads_previous(&self) -> bool {
        self.reads_previous
    }

    /// A hash of the policies and their data.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The packages that decide, by name.
    #[must_use]
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Lends the packages, each with its engine.
    pub(crate) fn with_engines<T>(
        &self,
        work: impl FnOnce(&mut dyn Iterator<Item = (&Package, &mut Engine)>) -> T,
    ) -> T {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let lent = idle().pop();
        let mut engines = lent.unwrap_or_else(|| self.templates.clone());
        let result = work(&mut self.packages.iter().zip(&mut engines));
        idle().push(engines);
        result
    }
}

/// An engine with these files, compiled once, so that clones need not be.
fn engine(files: &[&PolicyFile], dialect: Dialect, guessed_v0: impl Fn(&str)) -> Result<Engine, RegoError> {
    let mut engine = new_engine();
    for file in files {
        if add_file(&mut engine, file, dialect)? == Reading::GuessedV0 {
            guessed_v0(&file.path);
        }
    }
    engine.eval_query("true".to_owned(), false)?;
    Ok(engine)
}

/// Whether a policy refers, below `data`, to nothing but libraries and data files: whether every
/// `data` in it (comments and texts included, which does no harm) goes on with another name than `day2`.
fn stays_out_of_packages(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices("data").all(|(at, data)| {
        let (before, after) = (&text[..at], &text[at + data.len()..]);
        let name = after.strip_prefix('.').map(|rest| rest.split(|c| !word(c)).next().unwrap_or_default());
        before.ends_with(word) || after.starts_with(word) || name.is_some_and(|name| !matches!(name, "" | DECIDING))
    })
}

/// Whether a word stands in a policy; in comments and texts it does no harm.
fn names(text: &str, word: &str) -> bool {
    let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(of_word) && !after.starts_with(of_word)
    })
}

/// The packages below `day2`, from all their files.
fn packages(files: &PolicyFiles, engine: &Engine) -> Result<Vec<Package>, BundleError> {
    let texts: BTreeMap<&str, &str> = files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for module in engine.get_policy_package_components().map_err(RegoError::from)? {
        if module.components.first().is_none_or(|root| root != DECIDING) {
            continue;
        }
        let file = module.source_file;
        let notes = package_annotations(&file, texts.get(file.as_str()).copied().unwrap_or_default())?;
        let package = packages.entry(module.components.join(".")).or_insert_with_key(|name| Package {
            name: name.clone(),
            files: Vec::new(),
            title: None,
            description: None,
            suggestion: None,
            severity: None,
            types: Some(Vec::new()),
            sets: Vec::new(),
        });
        for (name, severity) in SETS {
            let declared = engine.has_declared_rule_rooted_at(&file, name).map_err(RegoError::from)?;
            if declared && package.sets.iter().all(|set| set.name != name) {
                let path = rule_path(&module.components, name);
                package.sets.push(DecidingSet { name, severity, path });
            }
        }
        package.files.push(file);
        package.title = package.title.take().or(notes.title);
        package.description = package.description.take().or(notes.description);
        package.suggestion = package.suggestion.take().or(notes.suggestion);
        package.severity = package.severity.or(notes.severity);
        // One file that applies to everything makes its package apply to everything.
        package.types = package.types.take().zip(notes.types).map(|(known, more)| [known, more].concat());
    }
    match packages.values().find(|package| package.sets.is_empty()) {
        Some(package) => {
            Err(BundleError::DecidesNothing { package: package.name.clone(), file: package.files.join(", ") })
        }
        None => Ok(packages.into_values().collect()),
    }
}

/// The canonical path of a rule: `data.day2.tags.deny`, or `data.day2["a b"].deny`.
fn rule_path(components: &[String], rule: &str) -> String {
    let plain = |name: &str| {
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut path = "data".to_owned();
    for component in components {
        match plain(component) {
            true => path.extend([".", component]),
            false => path.push_str(&format!("[{}]", serde_json::Value::from(component.as_str()))),
        }
    }
    path.extend([".", rule]);
    path
}
