//! Line charts as SVG.

use std::fmt::Write as _;

/// A chart of lines over one x axis.
#[derive(Clone, Debug)]
pub struct Chart {
    pub title: String,
    pub x: &'static str,
    pub y: &'static str,
    /// True if x is logarithmic.
    pub log_x: bool,
    pub lines: Vec<Line>,
}

/// A line with its name.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// Colours for colour-blind readers (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

impl Chart {
    /// Draws the chart, from y = 0 on.
    pub fn draw(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let scale = |x: f64| if self.log_x { x.max(1.0).log10() } else { x };
        let from = points().map(|(x, _)| scale(*x)).fold(f64::INFINITY, f64::min);
        let to = points().map(|(x, _)| scale(*x)).fold(f64::NEG_INFINITY, f64::max);
        let step = step(points().map(|(_, y)| *y).fold(0.0, f64::max));
        let top = step * (points().map(|(_, y)| *y).fold(0.0, f64::max) / step).ceil().max(1.0);
        let place_x = |x: f64| LEFT + (scale(x) - from) / (to - from).max(1e-9) * (WIDTH - LEFT - RIGHT);
        let place_y = |y: f64| HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM);

        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">{}</text>\n",
            escape(&self.title)
        );
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for mark in 0..=(top / step).round() as usize {
            let value = mark as f64 * step;
            let y = place_y(value);
            let _ = writeln!(svg, "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>");
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                LEFT - 6.0,
                y + 4.0
            );
        }
        let mut marks: Vec<f64> = points().map(|(x, _)| *x).collect();
        marks.sort_unstable_by(f64::total_cmp);
        marks.dedup();
        for mark in marks {
            let x = place_x(mark);
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{mark}</text>",
                bottom + 18.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            (LEFT + right) / 2.0,
            HEIGHT - 12.0,
            self.x
        );
        let _ = writeln!(
            svg,
            "<text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            (TOP + bottom) / 2.0,
            self.y
        );
        for (number, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let places: Vec<String> = line
                .points
                .iter()
                .map(|(x, y)| format!("{:.1} {:.1}", place_x(*x), place_y(*y)))
                .collect();
            let _ = writeln!(
                svg,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                places.join("L")
            );
            for place in &places {
                let (x, y) = place.split_once(' ').unwrap_or_default();
                let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>");
            }
            let y = TOP + 8.0 + 18.0 * number as f64;
            let _ = writeln!(
                svg,
                "<path d=\"M{} {y}h16\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"{}\" y=\"{}\">{}</text>",
                right + 12.0,
                right + 34.0,
                y + 4.0,
                escape(&line.name)
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// Returns a round distance of the marks of an axis up to `top`.
fn step(top: f64) -> f64 {
    let raw = (top / 5.0).max(1e-3);
    let power = 10_f64.powf(raw.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|nice| nice * power >= raw)
        .unwrap_or(10.0);
    nice * power
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_all_lines_within_its_frame() {
        let line = |name: &str, points: &[(f64, f64)]| Line {
            name: name.into(),
            points: points.to_vec(),
        };
        let chart = Chart {
            title: "a < b".into(),
            x: "members",
            y: "µs",
            log_x: true,
            lines: vec![
                line("one", &[(2.0, 8.3), (10.0, 7.1), (1000.0, 11.3)]),
                line("two", &[(2.0, 43.0)]),
            ],
        };
        let svg = chart.draw();
        assert!(
            svg.contains("a &lt; b") && svg.contains(">one<") && svg.contains(">two<"),
            "{svg}"
        );
        assert!(svg.contains("M60.0 ") && svg.contains("L510.0 "), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 4);
    }

    #[test]
    fn steps_are_round() {
        assert_eq!([0.9, 43.0, 120.0, 500.0].map(step), [0.2, 10.0, 50.0, 100.0]);
    }

    #[test]
    fn an_empty_chart_is_drawn() {
        let chart = Chart {
            title: String::new(),
            x: "",
            y: "",
            log_x: false,
            lines: vec![],
        };
        assert!(!chart.draw().contains("NaN"));
    }
}
