// Show the progress of an upload, and errors beside the form.
function sendWithProgress(form) {
  const alert = form.querySelector(".alert");
  const upload = form.querySelector(".upload");
  const bar = upload.querySelector("progress");
  const status = upload.querySelector(".status");
  const abort = upload.querySelector("[data-abort]");
  const maxBytes = Number(form.dataset.maxBytes);
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
    if (size > maxBytes) {
      show(
        `The files are ${megabytes(size)} in total; the maximum is ${megabytes(maxBytes)}. Start hpvade app with ` +
          "a larger --max-upload, or move the files to the --data folder and select them there.",
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
      status.textContent =
        progress.loaded < progress.total
          ? `${megabytes(progress.loaded)} of ${megabytes(progress.total)}`
          : "Checking the upload …";
    });
    request.addEventListener("load", () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        answer = {
          message: "hpvade app failed to respond properly. Its terminal shows the details.",
        };
      }
      if (answer.next) window.location.assign(answer.next);
      else show(answer.message);
    });
    request.addEventListener("error", () => show("The connection was lost. Is hpvade app still running?"));
    request.addEventListener("abort", () => show("The upload was cancelled."));
    abort.onclick = () => request.abort();
    request.send(data);
  });
}

// Fetch the part of the page that changes, until the job is over.
function follow(section) {
  const live = document.querySelector("[data-live]");
  let announced = "";

  async function update() {
    try {
      const answer = await fetch(section.dataset.progress);
      if (!answer.ok || answer.headers.get("x-job-state") !== "running") {
        window.location.reload();
        return;
      }
      section.innerHTML = await answer.text(); // rendered and escaped by the server, like the page itself
      const stage = section.querySelector("[data-current-stage]").dataset.currentStage;
      if (stage !== announced) {
        announced = stage;
        live.textContent = stage;
      }
    } catch {
      live.textContent = "hpvade app is not responding. Is it still running?";
      live.classList.remove("hidden-text");
    }
    window.setTimeout(update, 500);
  }
  window.setTimeout(update, 500);
}

for (const form of document.querySelectorAll("form[data-max-bytes]")) sendWithProgress(form);
for (const section of document.querySelectorAll("[data-progress]")) follow(section);
// A page that the browser restores from its cache may be out of date.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
