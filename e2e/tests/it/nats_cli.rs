//! The examples of docs/nats-cli.md, run by the real `nats` in the order of the document.

use std::cell::Cell;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use elava_e2e::{StandIn, binary, checkout, tool, until};

use crate::started;

/// How an example begins, and some of what it shows.
type Example = (&'static str, &'static [&'static str]);

/// Those that go on until they are stopped; all show what is published afterwards.
const LISTENING: &[Example] = &[
    ("nats sub 'elava.change.>' --raw\n", &["security group sg-0a1b2c3d appeared", "\"kind\":\"change\""]),
    ("nats sub 'elava.decision.*.critical", &["open to the internet on port 22", "\"kind\":\"decision\""]),
    ("nats sub 'elava.change.>' --raw | elava-enforcer", &["sg-0a1b2c3d critical: Security group is open"]),
];

const RUN: &[Example] = &[
    (PUBLISH, &["Stored in Stream: OBSERVATION"]),
    ("nats req elava.scan", &["{\"scopes\":1}"]),
    (
        "nats req elava.history",
        &["{\"key\":\"aws/123456789012/us-east-1/ec2:security-group/sg-0a1b2c3d\"", "on port 22"],
    ),
    (
        "nats micro",
        &[
            // one of each in the list, and the answer to the ping
            "elava-observer ",
            "elava-detector ",
            "elava-enforcer ",
            "elava-decider ",
            "elava-notifier ",
            "rtt=",
            "reads OBSERVATION, POLICY, DECISION, EXECUTION, writes CHANGE",
            "Subject: elava.history.query",
            "\"state\": \"ready, 16 of 16 partitions\"",
            "enforcer-status",
            "\"last_complete_at\":",
        ],
    ),
    ("nats req elava.detector.status", &["\"ready, 16 of 16 partitions\"", "observer\t", "notifier\t", "\tready"]),
    (
        "nats stream report",
        &["KV_elava_leases", "elava.decision.*.*.*.*", "detector-00", "Unprocessed Messages: 0", "group.notifier.15"],
    ),
    ("nats sub 'elava.decision.*.*", &["open to the internet on port 22", " ec2:security-group"]),
    ("nats pub -J elava.observation.aws.123456789012.us-east-1.ec2:volume", &["Stored in Stream: OBSERVATION"]),
    (
        "nats sub 'elava.dead.>'",
        &["\tdetector\telava.observation.aws.123456789012.us-east-1.ec2:volume\tbad observation"],
    ),
    ("letter=", &["Stored in Stream: OBSERVATION"]),
    ("nats sub elava.dead.detector", &["Stored in Stream: OBSERVATION"]),
];

const PUBLISH: &str = "nats pub -J elava.observation.aws.123456789012.us-east-1.ec2:security-group";

/// Where the examples are run.
struct Shell {
    url: String,
    folder: tempfile::TempDir,
    last: Mutex<String>,
}

impl Shell {
    /// A script, with our binaries and `nats` on the PATH, and no settings of whoever runs the test.
    fn command(&self, script: &str) -> Command {
        let ours = binary("elava-enforcer").parent().expect("a folder").to_owned();
        let nats = tool("ELAVA_NATS_CLI", "nats").parent().map_or_else(PathBuf::new, Path::to_owned);
        let found = std::env::var_os("PATH").unwrap_or_default();
        let path = [ours, nats].into_iter().chain(std::env::split_paths(&found));
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", script]).current_dir(checkout()).stdin(Stdio::null());
        command.env("PATH", std::env::join_paths(path).expect("a PATH")).env("NATS_URL", &self.url);
        command.env("XDG_CONFIG_HOME", self.folder.path());
        command
    }

    /// Whether a script ends well and shows all that is expected, standard error too.
    fn shows(&self, script: &str, expected: &[&str]) -> bool {
        let output = self.command(&format!("exec 2>&1\n{script}")).output().expect("bash runs");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let shows = output.status.success() && expected.iter().all(|part| shown.contains(part));
        *self.last.lock().expect("nobody panics with it") = shown;
        shows
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- shown last\n{}", self.last.lock().expect("nobody panics with it"));
        }
    }
}

/// An example that goes on; stopped when dropped.
struct Listener {
    child: Child,
    output: PathBuf,
}

impl Listener {
    fn start(shell: &Shell, number: usize, script: &str) -> Self {
        let output = shell.folder.path().join(format!("listener-{number}"));
        let file = std::fs::File::create(&output).expect("a file");
        let child = shell.command(script).stdout(file).process_group(0).spawn().expect("bash runs");
        Self { child, output }
    }

    fn hears(&self, expected: &[&str]) -> bool {
        let heard = std::fs::read_to_string(&self.output).expect("a file");
        expected.iter().all(|part| heard.contains(part))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // all of the pipe
        drop(Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).status());
        drop(self.child.wait());
    }
}

/// The shell examples of the document, in order.
fn examples() -> Vec<String> {
    let document = std::fs::read_to_string(checkout().join("docs/nats-cli.md")).expect("the document");
    let blocks = document.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_document() {
    let examples = examples();
    let begin: Vec<&str> = LISTENING.iter().chain(RUN).map(|(begins, _)| *begins).collect();
    assert_eq!(examples.len(), begin.len(), "each example is in the tables");
    for (example, begins) in examples.iter().zip(begin) {
        assert!(example.starts_with(begins), "in the order of the document: {begins}");
    }
    let (listening, run) = examples.split_at(LISTENING.len());

    let cloud = StandIn::start(3, 0);
    let (server, mut pipeline) = started();
    let place =
        ["--types", "ec2:instance", "--regions", "us-east-1", "--endpoint-url", cloud.url(), "--interval", "1h"];
    pipeline.start("observer", &place);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shell = Shell { url: server.url(), folder, last: Mutex::default() };
    let listeners: Vec<Listener> =
        listening.iter().enumerate().map(|(number, script)| Listener::start(&shell, number, script)).collect();
    // other groups, until all listen
    let number = Cell::new(0);
    until("every listener hears", async || {
        number.set(number.get() + 1);
        let published = shell.shows(&run[0].replace("sg-0a1b2c3d", &format!("sg-{:08}", number.get())), &[]);
        tokio::time::sleep(Duration::from_millis(300)).await;
        published && listeners.iter().all(|listener| listener.hears(&["sg-00"]))
    })
    .await;
    // A stage may be about to begin, and what is published twice changes nothing.
    for (script, (_, expected)) in run.iter().zip(RUN) {
        until(script, async || shell.shows(script, expected)).await;
    }
    for (listener, (begins, expected)) in listeners.iter().zip(LISTENING) {
        until(begins, async || listener.hears(expected)).await;
    }
    let mended = "nats req elava.history.query '{\"query\":\"history\",\"key\":\"vol-1\"}' --raw";
    until("the mended row", async || shell.shows(mended, &["ec2:volume/vol-1"])).await;
    drop(listeners);
    pipeline.stop();
}
