// What became known after the viewer was put on the page: an answer, or how far a model is. This component has no face.

export default function ({ data }) {
  window.segdemoNews = data; // for a viewer that hears of its run later
  document.dispatchEvent(new Event("segdemo-news"));
  return () => {
    if (window.segdemoNews === data) delete window.segdemoNews;
  };
}
