//! A listener on 127.0.0.1 with a thread per connection: the ground under the SMTP server and Twilio's stand-in.
//!
//! Dropping it closes the port and every open connection, so that no test can hang on it. A panic in a connection's
//! thread (an `assert!` in a script, a request that no client of ours should make) fails the test at that moment.

use std::{
    any::Any,
    collections::HashMap,
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub struct Loopback {
    port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    accepted: AtomicUsize,
    /// Connections whose thread has not ended.
    served: AtomicUsize,
    open: Mutex<HashMap<usize, TcpStream>>,
    panics: Mutex<Vec<String>>,
}

impl Loopback {
    /// Gives `serve` each connection and its number, counted from 1.
    pub fn start(serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Loopback {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared, &Arc::new(serve))
        });
        Loopback {
            port,
            shared,
            accepting: Some(accepting),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections accepted so far, open or not.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(SeqCst)
    }

    /// Waits until every connection's thread has ended: what a client that is gone had sent has then been worked off.
    pub fn settle(&self) {
        self.shared.wait_for_connections();
    }
}

fn accept<F>(listener: &TcpListener, shared: &Arc<Shared>, serve: &Arc<F>)
where
    F: Fn(TcpStream, usize) + Send + Sync + 'static,
{
    for stream in listener.incoming() {
        if shared.stopped.load(SeqCst) {
            return;
        }
        let stream = stream.unwrap();
        // Replies leave in one write each: without this, a client's delayed ACK would cost 40 ms.
        stream.set_nodelay(true).unwrap();
        let number = shared.accepted.fetch_add(1, SeqCst) + 1;
        // Before the next step, so that `drop`, which waits for this thread, finds them all.
        let handle = stream.try_clone().unwrap();
        shared.open.lock().unwrap().insert(number, handle);
        shared.served.fetch_add(1, SeqCst);
        let (shared, serve) = (Arc::clone(shared), Arc::clone(serve));
        thread::spawn(move || shared.connection(stream, number, &*serve));
    }
}

impl Shared {
    fn connection(&self, stream: TcpStream, number: usize, serve: &impl Fn(TcpStream, usize)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| serve(stream, number))) {
            self.panics.lock().unwrap().push(text(&*panic));
        }
        // Only now: the client must not go on before its mistake is noted.
        if let Some(stream) = self.open.lock().unwrap().remove(&number) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.served.fetch_sub(1, SeqCst);
    }

    /// Printing a backtrace can take seconds on a busy machine, and only then is the panic noted.
    fn wait_for_connections(&self) {
        let patience = Instant::now() + Duration::from_secs(10);
        while self.served.load(SeqCst) > 0 && Instant::now() < patience {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn text(panic: &(dyn Any + Send)) -> String {
    match panic.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => panic
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or("a panic without a text".into()),
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.shared.stopped.store(true, SeqCst);
        // Wakes the accepting thread, which then gives up the port.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        for stream in self.shared.open.lock().unwrap().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.shared.wait_for_connections();
        let panics = self.shared.panics.lock().unwrap().join("; ");
        if !panics.is_empty() && !thread::panicking() {
            panic!("a loopback server panicked: {panics}");
        }
    }
}
