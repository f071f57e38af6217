//! Chromium without a window, driven over its debugging pipe: one JSON message after the other, each ended by a zero byte.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::running::Directory;
use crate::running::Namespace;
use crate::running::PATIENCE;
use crate::running::Process;

/// A browser with one tab.
pub(crate) struct Browser {
    to: ChildStdin,
    from: mpsc::Receiver<Value>,
    process: Process,
    session: String,
    next: u64,
    /// What it told without being asked.
    events: Vec<Value>,
    directory: Directory,
}

impl Browser {
    /// Starts it inside a namespace.
    pub(crate) fn start(namespace: &Namespace) -> Self {
        let directory = Directory::new();
        let path = |name: &str| directory.0.join(name).display().to_string();
        let mut command = namespace.command("sh");
        command
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .args(["chromium", "--headless=new", "--no-sandbox"])
            .args(["--remote-debugging-pipe", "--disable-gpu", "--disable-quic"])
            .args([
                "--no-first-run",
                "--no-default-browser-check",
                "--disable-sync",
            ])
            .args(["--disable-dev-shm-usage", "--disable-extensions"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args(["--disable-default-apps", "--disable-domain-reliability"])
            .args(["--disable-features=OptimizationHints,MediaRouter,Translate"])
            .args(["--metrics-recording-only", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", path("profile")))
            .arg(format!("--log-net-log={}", path("net.json")))
            .env("HOME", &directory.0);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (to, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut browser = Self {
            to,
            from: messages(out),
            process: Process(child),
            session: String::new(),
            next: 0,
            events: Vec::new(),
            directory,
        };
        let tab = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": tab["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().unwrap().to_string();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Asks, and waits for the answer.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        let begun = Instant::now();
        loop {
            let left = (3 * PATIENCE).saturating_sub(begun.elapsed());
            let answer = self
                .from
                .recv_timeout(left)
                .unwrap_or_else(|error| panic!("{method}: {error}"));
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    /// Opens a page and waits until it is there.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", &json!({"url": url}));
        crate::running::wait_until("the page", || {
            let state = self.evaluate("location.href + ' ' + document.readyState");
            state == format!("{url} complete")
        });
    }

    /// What an expression is in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let found = self.call("Runtime.evaluate", &asked);
        assert!(found["exceptionDetails"].is_null(), "{expression}: {found}");
        found["result"]["value"].clone()
    }

    /// The text of the first element that fits; empty where none does.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let selector = json!(selector);
        let found = self.evaluate(&format!(
            "document.querySelector({selector})?.innerText ?? ''"
        ));
        found.as_str().unwrap().to_string()
    }

    /// Makes the window so wide, dark or light.
    pub(crate) fn look(&mut self, width: u32, dark: bool) {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// A picture of the whole page.
    pub(crate) fn picture(&mut self, path: &Path) {
        let asked = json!({"format": "png", "captureBeyondViewport": true});
        let found = self.call("Page.captureScreenshot", &asked);
        let picture = base64(found["data"].as_str().unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, picture).unwrap();
    }

    /// Errors and warnings on the console, what a script threw, and what the policy forbade.
    pub(crate) fn complaints(&self) -> Vec<&Value> {
        let events = self.events.iter();
        let wrong = events.filter(|event| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => event["params"]["type"] != "log",
            Some("Log.entryAdded") => event["params"]["entry"]["level"] != "verbose",
            _ => false,
        });
        wrong.collect()
    }

    /// The addresses that the page has asked for so far.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        // What was told meanwhile comes before this answer.
        self.evaluate("1");
        let events = self.events.iter();
        let sent = events.filter(|event| event["method"] == "Network.requestWillBeSent");
        let urls = sent.map(|event| event["params"]["request"]["url"].as_str().unwrap());
        urls.map(str::to_string).collect()
    }

    /// Ends it, and gives every URL that its log of the network has a page of this origin ask for. What the browser asks for
    /// itself is none of a page's business.
    pub(crate) fn end(mut self, origin: &str) -> Vec<String> {
        self.session.clear();
        self.call("Browser.close", &json!({}));
        let code = self.process.code_within(PATIENCE);
        assert!(code.is_some(), "the browser does not end");
        let text = fs::read_to_string(self.directory.0.join("net.json")).unwrap();
        let log: Value = serde_json::from_str(&text).unwrap();
        let events = log["events"].as_array().unwrap().iter();
        let parameters = events.map(|event| &event["params"]);
        let asked = parameters.filter(|found| found["initiator"] == origin);
        let urls = asked.filter_map(|found| found["url"].as_str());
        urls.map(str::to_string).collect()
    }
}

/// Reads to the end, so that a full pipe never stops it.
fn messages(out: ChildStdout) -> mpsc::Receiver<Value> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut message = Vec::new();
        while out
            .read_until(0, &mut message)
            .is_ok_and(|length| length > 0)
        {
            message.pop();
            let Ok(value) = serde_json::from_slice(&message) else {
                return;
            };
            if tell.send(value).is_err() {
                return;
            }
            message.clear();
        }
    });
    told
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let text = text.trim_end_matches('=').as_bytes();
    let chunks = text.chunks(4).flat_map(|chunk| {
        let word = (0..4).fold(0, |word, at| {
            word << 6 | chunk.get(at).map_or(0, |byte| digit(*byte))
        });
        let bytes = [(word >> 16) as u8, (word >> 8) as u8, word as u8];
        bytes.into_iter().take(chunk.len() - 1)
    });
    chunks.collect()
}

/// Some moments, in which what should not happen could.
pub(crate) const MOMENTS: Duration = Duration::from_secs(3);
