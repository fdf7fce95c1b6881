// <voice-note>: peaks drawn around a real <audio>. Fires "first-play" once. Knows no conversation.

import { clock, element, icon, words } from "./api.js";

const SPEEDS = [1, 1.5, 2];
const STEP_S = 5;

class VoiceNote extends HTMLElement {
  #audio = new Audio();
  #duration = 0;
  #bars = [];

  load({ src, duration, peaks, mine }) {
    this.#duration = duration;
    this.#audio.preload = "metadata";
    this.#audio.src = src;
    this.playButton = element("button", "play");
    this.playButton.type = "button";
    this.slider = element("div", "peaks");
    this.slider.tabIndex = 0;
    this.slider.setAttribute("role", "slider");
    this.slider.setAttribute("aria-label", words.position);
    this.slider.setAttribute("aria-valuemin", "0");
    this.slider.setAttribute("aria-valuemax", duration.toFixed(1));
    this.#bars = peaks.map((peak) => {
      const bar = element("i");
      bar.style.setProperty("--peak", Math.max(0.08, peak));
      return bar;
    });
    this.slider.append(...this.#bars);
    this.time = element("span");
    const mic = icon("mic");
    mic.classList.add("note-mic");
    const line = element("span", "elapsed");
    line.append(mic, this.time);
    this.speed = element("button", "speed", "1×");
    this.speed.type = "button";
    this.speed.setAttribute("aria-label", `${words.speed} 1×`);
    this.setAttribute("role", "group");
    this.setAttribute("aria-label", words.voice_note);
    this.classList.toggle("mine", mine);
    this.append(this.playButton, this.slider, this.speed, line);
    this.#listen();
    this.#draw();
  }

  set played(value) {
    this.classList.toggle("played", value);
  }

  #listen() {
    const audio = this.#audio;
    this.playButton.addEventListener("click", () => (audio.paused ? this.#play() : audio.pause()));
    this.speed.addEventListener("click", () => {
      const next = SPEEDS[(SPEEDS.indexOf(audio.playbackRate) + 1) % SPEEDS.length];
      audio.playbackRate = next;
      this.speed.textContent = `${String(next).replace(".", words.decimal)}×`;
      this.speed.setAttribute("aria-label", `${words.speed} ${this.speed.textContent}`);
    });
    this.slider.addEventListener("pointerdown", (event) => {
      this.slider.setPointerCapture(event.pointerId);
      this.#seekTo(event);
    });
    this.slider.addEventListener("pointermove", (event) => {
      if (this.slider.hasPointerCapture(event.pointerId)) this.#seekTo(event);
    });
    this.slider.addEventListener("keydown", (event) => this.#key(event));
    for (const name of ["play", "pause", "ended", "timeupdate", "seeked"]) {
      audio.addEventListener(name, () => this.#draw());
    }
    audio.addEventListener("play", () => this.dispatchEvent(new CustomEvent("first-play")), { once: true });
    audio.addEventListener("ended", () => (audio.currentTime = 0));
  }

  #play() {
    for (const other of document.querySelectorAll("voice-note")) if (other !== this) other.pause();
    this.#audio.play().catch(() => this.classList.add("broken"));
    const follow = () => {
      if (this.#audio.paused) return;
      this.#draw();
      requestAnimationFrame(follow);
    };
    requestAnimationFrame(follow);
  }

  pause() {
    this.#audio.pause();
  }

  #seekTo(event) {
    const box = this.slider.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    this.#audio.currentTime = share * this.#duration;
    this.#draw();
  }

  #key(event) {
    const steps = { ArrowLeft: -STEP_S, ArrowDown: -STEP_S, ArrowRight: STEP_S, ArrowUp: STEP_S };
    const targets = { Home: 0, End: this.#duration };
    const target = event.key in steps ? this.#audio.currentTime + steps[event.key] : targets[event.key];
    if (event.key === " ") this.playButton.click();
    else if (target === undefined) return;
    else this.#audio.currentTime = Math.min(this.#duration, Math.max(0, target));
    event.preventDefault();
    this.#draw();
  }

  #draw() {
    const now = this.#audio.currentTime;
    const idle = this.#audio.paused && now === 0;
    const share = this.#duration ? now / this.#duration : 0;
    this.#bars.forEach((bar, index) => bar.classList.toggle("past", index < share * this.#bars.length));
    this.time.textContent = clock(idle ? Math.round(this.#duration) : now);
    this.slider.setAttribute("aria-valuenow", now.toFixed(1));
    this.slider.setAttribute("aria-valuetext", `${clock(now)} / ${clock(this.#duration)}`);
    const wanted = this.#audio.paused ? "play" : "pause";
    if (this.playButton.dataset.shows !== wanted) {
      this.playButton.dataset.shows = wanted;
      this.playButton.setAttribute("aria-label", words[wanted]);
      this.playButton.replaceChildren(icon(wanted));
    }
    this.classList.toggle("playing", !this.#audio.paused);
  }
}

customElements.define("voice-note", VoiceNote);
