import { render } from 'preact';
import { Frame } from './frame';

render(<Frame here="dashboard" title="Dashboard"><p>Soon.</p></Frame>, document.getElementById('page')!);
