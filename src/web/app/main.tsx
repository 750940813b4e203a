/** The web app's entry. */
import { render } from 'preact';
import { App } from './app.tsx';
import '../viewer/viewer.css';
import './app.css';

const place = document.getElementById('app');
if (place !== null) {
  place.replaceChildren();
  render(<App />, place);
}

// Where a browser allows none (plain http from another machine), the page works all the same, online.
void navigator.serviceWorker?.register('./service-worker.js').catch(() => undefined);
