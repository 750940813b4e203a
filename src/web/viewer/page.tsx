/** The HTML report's entry: takes the data the page carries and shows it. */
import { render } from 'preact';
import type { ReportData } from '../../report/data.ts';
import { Report } from './report.tsx';
import './viewer.css';

const carried = document.getElementById('haltex-data')?.textContent;
const place = document.getElementById('haltex');
if (carried && place !== null) {
  place.replaceChildren();
  render(<Report data={JSON.parse(carried) as ReportData} />, place);
}
