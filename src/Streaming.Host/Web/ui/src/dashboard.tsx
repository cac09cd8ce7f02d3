import { render } from 'preact';
import { DashboardPage } from './dashboardpage';
import { Frame } from './frame';

render(<Frame here="dashboard" title="Dashboard"><DashboardPage /></Frame>, document.getElementById('page')!);
