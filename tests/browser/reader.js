// Runs in the page: reads the number of every picture that the page's <video> shows, and hears the ticks.
// What the numbers and ticks are stands in tests/src/source.rs. Sound needs a running AudioContext, which the browser
// is started to allow.
(() => {
  const CELLS = 20, WIDTH = 320, HEIGHT = 24, LOG_MAX = 5000;
  const TICK_SECONDS = 0.03, QUIET_SECONDS = 0.2, LOUD = 0.08;
  const reader = { pictures: [], ticks: [], unreadable: 0, audioError: null };
  Object.defineProperty(window, "__reader", { value: reader });

  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d", { willReadFrequently: true });

  /** The number in the picture that `video` shows, or null. */
  function read(video) {
    context.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 10, 0, 0, WIDTH, HEIGHT);
    const { data } = context.getImageData(0, 0, WIDTH, HEIGHT), cell = WIDTH / CELLS, bits = [];
    for (let i = 0; i < CELLS; i += 1) {
      let sum = 0, count = 0;
      for (let y = Math.floor(HEIGHT * 0.35); y < HEIGHT * 0.65; y += 1) {
        for (let x = Math.floor(cell * (i + 0.35)); x < cell * (i + 0.65); x += 1) {
          sum += data[(y * WIDTH + x) * 4 + 1];
          count += 1;
        }
      }
      bits.push(sum / count > 127 ? 1 : 0);
    }
    const number = bits.slice(2, 18).reduce((n, bit) => n * 2 + bit, 0);
    const parity = bits.slice(2, 18).reduce((p, bit) => p ^ bit, 0);
    return bits[0] === 1 && bits[1] === 0 && parity === bits[18] ? number : null;
  }

  function follow(video) {
    const onPicture = (now, { expectedDisplayTime, presentedFrames }) => {
      video.requestVideoFrameCallback(onPicture);
      if (!video.videoWidth || reader.pictures.length >= LOG_MAX) return;
      const number = read(video);
      if (number === null) reader.unreadable += 1;
      else reader.pictures.push({ number, at: performance.timeOrigin + (expectedDisplayTime || now), presented: presentedFrames });
    };
    video.requestVideoFrameCallback(onPicture);
  }

  const WORKLET = `registerProcessor("tick", class extends AudioWorkletProcessor {
    quiet = Infinity; tick = null; filled = 0; at = 0;
    process([[channel]]) {
      for (let i = 0; channel && i < channel.length; i += 1) {
        if (this.tick) {
          this.tick[this.filled++] = channel[i];
          if (this.filled === this.tick.length) { this.port.postMessage({ at: this.at, tick: this.tick }); this.tick = null; this.quiet = 0; }
        } else if (Math.abs(channel[i]) > ${LOUD}) {
          if (this.quiet > sampleRate * ${QUIET_SECONDS}) {
            this.at = currentTime + i / sampleRate; this.tick = new Float32Array(Math.floor(sampleRate * ${TICK_SECONDS})); this.filled = 0;
          }
          this.quiet = 0;
        } else this.quiet += 1;
      }
      return true;
    }
  });`;

  /** Which of the eight tones it is (Goertzel). */
  function toneOf(samples, rate) {
    let best = -1, tone = 0;
    for (let k = 0; k < 8; k += 1) {
      const turn = 2 * Math.cos(2 * Math.PI * (1000 + 250 * k) / rate);
      let s1 = 0, s2 = 0;
      for (const sample of samples) [s1, s2] = [sample + turn * s1 - s2, s1];
      const power = s1 * s1 + s2 * s2 - turn * s1 * s2;
      if (power > best) [best, tone] = [power, k];
    }
    return tone;
  }

  async function listen(video) {
    const audio = new AudioContext();
    await audio.resume();
    await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" })));
    const node = new AudioWorkletNode(audio, "tick");
    node.port.onmessage = ({ data: { at, tick } }) => {
      const stamp = audio.getOutputTimestamp();
      const offset = stamp.performanceTime ? stamp.performanceTime - stamp.contextTime * 1000 : performance.now() - audio.currentTime * 1000;
      reader.ticks.push({ tone: toneOf(tick, audio.sampleRate), at: performance.timeOrigin + offset + at * 1000 });
    };
    let heard = null, source = null;
    // A player that reconnects puts new tracks into its element.
    setInterval(() => {
      const track = video.srcObject?.getAudioTracks()[0] ?? null;
      if (track === heard) return;
      heard = track;
      source?.disconnect();
      if (!track) return;
      source = audio.createMediaStreamSource(new MediaStream([track]));
      source.connect(node);
    }, 100);
  }

  reader.start = (video, sound) => {
    follow(video);
    if (sound) listen(video).catch((error) => { reader.audioError = String(error); });
  };

  /** What tests/src/reading.rs calls a Report. */
  reader.report = async () => {
    const player = window.zongzi ?? { marks: {}, sessions: 0, pc: reader.pc }, pc = player.pc;
    const report = {
      pictures: reader.pictures, ticks: reader.ticks, unreadable: reader.unreadable, audioError: reader.audioError, sessions: player.sessions,
      post: player.marks.post ? performance.timeOrigin + player.marks.post : null,
      first_picture: reader.pictures[0]?.at ?? null,
    };
    for (const stat of pc ? (await pc.getStats()).values() : []) if (stat.type === "inbound-rtp") report[stat.kind] = stat;
    return report;
  };

  /** Plays a clip to itself over WebRTC without any server, to learn what this way of reading adds by itself. */
  reader.rehearse = async (url) => {
    const clip = document.createElement("video"), shown = document.createElement("video");
    clip.src = URL.createObjectURL(await (await fetch(url)).blob());
    document.body.append(shown);
    const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
    from.onicecandidate = ({ candidate }) => candidate && to.addIceCandidate(candidate);
    to.onicecandidate = ({ candidate }) => candidate && from.addIceCandidate(candidate);
    shown.srcObject = new MediaStream();
    to.ontrack = ({ track }) => shown.srcObject.addTrack(track);
    await clip.play();
    const stream = clip.captureStream();
    for (const track of stream.getTracks()) {
      const transceiver = from.addTransceiver(track, { direction: "sendonly", streams: [stream] });
      const { codecs } = RTCRtpSender.getCapabilities(track.kind);
      if (track.kind === "video") transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => /h264|rtx/i.test(mimeType)));
    }
    await from.setLocalDescription();
    await to.setRemoteDescription(from.localDescription);
    await to.setLocalDescription();
    await from.setRemoteDescription(to.localDescription);
    reader.pc = to;
    shown.play();
    reader.start(shown, true);
  };

  document.addEventListener("DOMContentLoaded", () => {
    const video = document.querySelector("video");
    if (video) reader.start(video, true);
  });
})();
