import { render } from 'preact';
import { Frame } from './frame';
import { FeedPage } from './feedpage';

render(<Frame here="feed" title="Live feed"><FeedPage /></Frame>, document.getElementById('page')!);
