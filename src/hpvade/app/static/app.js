"use strict";

// Uploads show how far they are, and what is refused is told beside the form.
function sendWithProgress(form) {
  const alert = form.querySelector(".alert");
  const upload = form.querySelector(".upload");
  const bar = upload.querySelector("progress");
  const told = upload.querySelector(".told");
  const stop = upload.querySelector("[data-abort]");
  const most = Number(form.dataset.most);
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

  function show(message) {
    upload.hidden = true;
    alert.hidden = message === "";
    alert.textContent = message;
    for (const button of form.querySelectorAll(".buttons button")) button.disabled = false;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(form, event.submitter);
    let size = 0;
    for (const value of data.values()) if (value instanceof File) size += value.size;
    if (size > most) {
      show(
        `The files have ${megabytes(size)}; ${megabytes(most)} are the most. Start hpvade app with a larger ` +
          "--max-upload, or put them into the folder of its --data and pick them.",
      );
      return;
    }
    show("");
    for (const button of form.querySelectorAll(".buttons button")) button.disabled = true;
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (progress) => {
      upload.hidden = size === 0;
      bar.value = progress.total ? progress.loaded / progress.total : 0;
      told.textContent =
        progress.loaded < progress.total
          ? `${megabytes(progress.loaded)} of ${megabytes(progress.total)}`
          : "looking at it …";
    });
    request.addEventListener("load", () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        answer = {
          message: "hpvade app gave an answer that is none. The terminal in which it runs says more.",
        };
      }
      if (answer.next) window.location.assign(answer.next);
      else show(answer.message);
    });
    request.addEventListener("error", () => show("The connection ended. Does hpvade app still run?"));
    request.addEventListener("abort", () => show("The upload was stopped."));
    stop.onclick = () => request.abort();
    request.send(data);
  });
}

// The part of the page that changes is fetched again and again, until the job is over.
function follow(section) {
  const live = document.querySelector("[data-live]");
  let told = "";

  async function once() {
    try {
      const answer = await fetch(section.dataset.progress);
      if (!answer.ok || answer.headers.get("x-job-state") !== "running") {
        window.location.reload();
        return;
      }
      section.innerHTML = await answer.text(); // written and escaped by the server, as the page itself is
      const now = section.querySelector("[data-told]").dataset.told;
      if (now !== told) live.textContent = told = now;
    } catch {
      live.textContent = "hpvade app does not answer. Does it still run?";
      live.classList.remove("unseen");
    }
    window.setTimeout(once, 500);
  }
  window.setTimeout(once, 500);
}

for (const form of document.querySelectorAll("form[data-most]")) sendWithProgress(form);
for (const section of document.querySelectorAll("[data-progress]")) follow(section);
// A page that comes back from the browser's memory may tell what is over.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
