import { sourceConformance } from './conformance.ts';
import { startWebHdfs } from './web-hdfs.ts';

sourceConformance('hdfs, WebHDFS as documented', { credentials: true, directories: true, open: startWebHdfs });
