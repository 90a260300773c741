use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use zongzi_control::Control;
use zongzi_control::api::{About, Api};
use zongzi_control::events::Events;
use zongzi_control::playback;
use zongzi_control::store::Sqlite;
use zongzi_control::watch::Watch;
use zongzi_http::health::Ready;
use zongzi_http::pages::Console;
use zongzi_http::{Front, admin, whep};
use zongzi_ingest::rtmp;
use zongzi_relay::hub::Hub;
use zongzi_relay::shard::{Shards, Source};

use super::announce::{FirstStart, Listening};
use super::bridge::{
    Authority, Backstage, Catalog, Connected, Door, Entrance, History, News, Programme, Rejections,
    Stage, Transcoders, Viewers, open_history,
};
use super::claim::Claim;
use super::follow::Follower;
use super::hooks::Hooks;
use super::metrics::{Sources, StoreSource};
use super::reach::Reach;
use super::traces::{self, Traces};
use super::video::Workers;
use super::{StartError, assets, listeners};
use crate::settings::Settings;

/// A server that is ready: every listener is open.
pub(super) struct Server {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    hub: Hub,
    shards: Shards,
    store: Sqlite,
    /// Held until all has ended.
    _claim: Claim,
}

/// All listeners, before anything runs on them.
struct Bound {
    rtmp: TcpListener,
    http: TcpListener,
    admin: TcpListener,
    metrics: Option<TcpListener>,
    shards: Shards,
}

impl Server {
    /// Binds, wires and starts everything, and says so.
    pub(super) async fn start(settings: Settings) -> Result<Self, StartError> {
        check(&settings).map_err(StartError::Settings)?;
        let playback = settings
            .playback
            .gate_settings()
            .map_err(StartError::Settings)?;
        let workers = Workers::prepare(&settings.transcode).map_err(StartError::Settings)?;
        let bound = Bound::open(&settings).map_err(StartError::Settings)?;
        let listening = bound.addresses().map_err(StartError::Failed)?;
        let control = Control::open(&settings.data.dir).map_err(|error| {
            StartError::Settings(format!(
                "data.dir = {}: {error}",
                settings.data.dir.display()
            ))
        })?;
        let claim = Claim::take(&settings.data.dir)
            .map_err(|why| StartError::Settings(format!("data.dir: {why}")))?;
        let hooks =
            Hooks::prepare(&settings.hooks, &settings.data.dir).map_err(StartError::Settings)?;
        let first = control
            .first_start()
            .await
            .context("the store can't be used")
            .map_err(StartError::Failed)?;
        let gate = Arc::new(control.playback_gate(playback));
        let server = Self::wire(&settings, bound, &control, claim, gate, hooks, workers)
            .await
            .map_err(StartError::Failed)?;
        let reach = Reach::here();
        if settings.media.public_ips.is_empty() {
            reach.report();
        }
        let first = first.as_ref().map(|minted| FirstStart {
            channel: minted.key.channel.as_str(),
            stream_key: minted.secret.expose(),
        });
        let given = settings.media.public_ips.first().copied();
        let reachable = given.or_else(|| reach.address());
        listening.welcome(settings.log.format, first.as_ref(), reachable);
        listening.announce(settings.log.format);
        // Not started by systemd: nothing to notify, and no fault.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        Ok(server)
    }

    /// Serves until `stop` resolves, then ends in order: hosts and viewers are told.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) {
        stop.await;
        tracing::info!("stopping");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        self.stop.send_replace(true);
        self.hub.shutdown();
        let shards = self.shards;
        // Each has its own time limit for ending.
        while self.tasks.join_next().await.is_some() {}
        let ended = tokio::task::spawn_blocking(|| shards.shutdown()).await;
        if ended.is_err() {
            tracing::error!("the shards did not end in order");
        }
        let closed = tokio::time::timeout(CLOSE_MAX, self.store.close()).await;
        if closed.is_err() {
            tracing::error!("the store was not closed in time; the next start puts it in order");
        }
    }

    async fn wire(
        settings: &Settings,
        mut bound: Bound,
        control: &Control<Sqlite>,
        claim: Claim,
        viewers_gate: Arc<playback::Gate<Sqlite>>,
        mut hooks: Hooks,
        video: Workers,
    ) -> anyhow::Result<Self> {
        let epoch = Instant::now();
        let about = about(settings, &bound)?;
        let video_counts = video.counts();
        let hub = Hub::new(
            settings.broadcast.hub_config(&settings.limits),
            epoch,
            bound.shards.links(),
            Arc::new(Transcoders { video }),
        )
        .context("the threads for sound can't be started")?;
        let source: Arc<dyn Source> = Arc::new(hub.clone());
        bound
            .shards
            .start(&source, epoch)
            .context("the shards can't be started")?;

        let watch = Watch::start(control.store())
            .await
            .context("the store can't be followed")?;
        let catalog = Catalog::new(watch.directory());
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let events = Events::default();
        let (hook_counts, publish_hook) = (hooks.counts(), hooks.take_publish());
        let authority = Authority::new(publish_hook, control.store().clone());
        hooks.run(control, &events, &mut tasks, stopped(stopping.clone()));
        let news = News::new(hub.clone(), events.clone());
        tasks.spawn(news.run(stopped(stopping.clone())));

        let chronicle = open_history(control, settings.broadcast.history())
            .await
            .context("the history of broadcasts can't be read")?;
        let history = History::new(Arc::clone(&chronicle), hub.clone());
        tasks.spawn(history.run(stopped(stopping.clone())));

        let rejections = Arc::new(Rejections::new(events.clone()));
        let gate = Arc::new(control.gate());
        let door = Arc::new(Door::new(Arc::clone(&gate), Arc::clone(&rejections)));
        let stage = Arc::new(Stage::new(
            hub.clone(),
            catalog.clone(),
            authority,
            rejections,
        ));
        let (traces, export) = traces(settings, &hub)?.unzip();
        let trace_counts = traces.as_ref().map(|traces| traces.counts());
        if let Some(export) = export {
            tasks.spawn(export.run(stopped(stopping.clone())));
        }
        let ingest = rtmp::Server::new(settings.rtmp.ingest_settings(), Arc::clone(&door), stage);
        let ingest = Arc::new(ingest.watched(traces.clone().map(|traces| traces as _)));
        let http_counters = Arc::new(zongzi_http::server::Counters::default());
        let whep_counters = Arc::new(whep::Counters::default());
        let entrance = Entrance::new(Arc::clone(&viewers_gate));
        let viewers = Arc::new(Viewers::new(
            &settings.media,
            &bound.shards,
            hub.clone(),
            catalog.clone(),
            entrance.clone(),
            traces.map(|traces| traces as _),
        )?);
        let follower = Follower {
            hub: hub.clone(),
            catalog: catalog.clone(),
            viewers: Arc::clone(&viewers),
            events: events.clone(),
        };
        tasks.spawn(follower.run(watch, stopping.clone()));
        let (shard_counters, socket_counters) = Sources::of_shards(&bound.shards);
        let admin_counters = Arc::new(zongzi_http::server::Counters::default());
        let sources = Sources {
            hub: hub.clone(),
            video: video_counts,
            shards: shard_counters,
            sockets: socket_counters,
            rtmp: ingest.counters(),
            keys: Arc::new(move || door.stats()),
            playback: Arc::new(move || viewers_gate.checks()),
            whep: Arc::clone(&whep_counters),
            store: StoreSource {
                counters: control.store().counters(),
                file: control.store().path().to_owned(),
            },
            listeners: vec![
                ("http", Arc::clone(&http_counters)),
                ("admin", Arc::clone(&admin_counters)),
            ],
            hooks: hook_counts,
            publish_hook: settings.hooks.on_publish.is_some(),
            traces: trace_counts,
            channels_max: settings.metrics.max_channels,
        };
        let ready = readiness(stopping.clone());
        let channels = Arc::new(Programme::new(catalog, hub.clone(), entrance));
        let console = Console {
            sessions: Arc::clone(&viewers),
            whep_counters: Arc::clone(&whep_counters),
            channels: Arc::clone(&channels),
            assets: assets::assets(),
        };
        let front = Front {
            sessions: viewers,
            whep_counters,
            channels,
            hosts: Arc::new(Backstage::new(gate, hub.clone())),
            assets: console.assets.clone(),
            origins: settings.http.origins(),
            ready: ready.clone(),
        };
        let token = control
            .admin_token(&settings.data.dir)
            .context("the admin token can't be read or made")?;
        let page = move || {
            let sources = sources.clone();
            admin::router(move || sources.page(), ready.clone())
        };
        let api = Api {
            control: control.clone(),
            chronicle,
            sessions: Arc::new(Connected::new(hub.clone(), bound.shards.roster())),
            events,
            about: Arc::new(about),
        };
        let api = zongzi_control::api::router(api, token);
        let mut serve = |listener, router, counters| {
            let limits = settings.http.limits();
            let stopped = stopped(stopping.clone());
            tasks.spawn(zongzi_http::server::serve(
                listener, router, limits, counters, stopped,
            ));
        };
        serve(bound.http, front.router(), http_counters);
        if let Some(listener) = bound.metrics {
            let router = zongzi_http::with_fallbacks(page());
            serve(listener, router, Arc::clone(&admin_counters));
        }
        let router = zongzi_http::with_fallbacks(page().merge(api).merge(console.router()));
        serve(bound.admin, router, admin_counters);
        let stopped = stopped(stopping);
        tasks.spawn(async move { ingest.run(bound.rtmp, stopped).await });
        Ok(Self {
            stop,
            tasks,
            hub,
            shards: bound.shards,
            store: control.store().clone(),
            _claim: claim,
        })
    }
}

/// How long the store may take to close: what is in its write-ahead log, 4 MB and more on a slow disk.
const CLOSE_MAX: Duration = Duration::from_secs(10);

impl Bound {
    fn open(settings: &Settings) -> Result<Self, String> {
        let metrics = settings.metrics.listen;
        Ok(Self {
            rtmp: listeners::bind_tcp("rtmp.listen", settings.rtmp.listen)?,
            http: listeners::bind_tcp("http.listen", settings.http.listen)?,
            admin: listeners::bind_tcp("admin.listen", settings.admin.listen)?,
            metrics: metrics
                .map(|address| listeners::bind_tcp("metrics.listen", address))
                .transpose()?,
            shards: listeners::open_media("media.listen", &settings.media, &settings.limits)?,
        })
    }

    fn addresses(&self) -> anyhow::Result<Listening> {
        let metrics = self
            .metrics
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()?;
        Ok(Listening {
            rtmp: self.rtmp.local_addr()?,
            http: self.http.local_addr()?,
            media: self.shards.local_addr(),
            admin: self.admin.local_addr()?,
            metrics,
        })
    }
}

/// Where traces go, if they are to be made.
fn traces(settings: &Settings, hub: &Hub) -> anyhow::Result<Option<(Arc<Traces>, traces::Export)>> {
    let endpoint = settings.traces.otlp.as_deref().map(str::parse);
    let endpoint = endpoint.transpose().map_err(anyhow::Error::msg)?;
    Ok(endpoint.map(|endpoint| Traces::new(endpoint, hub.clone())))
}

/// What the API says of where this server is found.
fn about(settings: &Settings, bound: &Bound) -> anyhow::Result<About> {
    let listening = bound.addresses()?;
    Ok(About {
        version: env!("CARGO_PKG_VERSION"),
        addresses: Reach::here().reached_by(&settings.media.public_ips, listening.rtmp.ip()),
        rtmp_port: listening.rtmp.port(),
        http_port: listening.http.port(),
    })
}

/// What no single key can know.
fn check(settings: &Settings) -> Result<(), String> {
    if let Some(url) = &settings.traces.otlp {
        let endpoint = url.parse::<traces::Endpoint>();
        endpoint.map_err(|why| format!("traces.otlp = {url}: {why}"))?;
    }
    let open = |key: &str, ip: std::net::IpAddr| {
        if ip.to_canonical().is_loopback() || settings.admin.allow_remote {
            return Ok(());
        }
        Err(format!(
            "{key} = {ip}: this listener has no TLS and would be open to the network; use a loopback address, or set \
             admin.allow_remote = true if something else protects it"
        ))
    };
    let publish_deadline = settings.rtmp.publish_timeout;
    if settings.hooks.on_publish.is_some() && settings.hooks.on_publish_timeout >= publish_deadline
    {
        return Err(format!(
            "hooks.on_publish_timeout: {:?} leaves no time, a host is cut off after rtmp.publish_timeout = \
             {publish_deadline:?}",
            settings.hooks.on_publish_timeout
        ));
    }
    open("admin.listen", settings.admin.listen.ip())?;
    if let Some(address) = settings.metrics.listen {
        open("metrics.listen", address.ip())?;
    }
    Ok(())
}

fn readiness(stopping: watch::Receiver<bool>) -> Ready {
    Ready::new(move || {
        if *stopping.borrow() {
            Err("the server is stopping".to_owned())
        } else {
            Ok(())
        }
    })
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the same.
    let _ = stopping.wait_for(|stop| *stop).await;
}
