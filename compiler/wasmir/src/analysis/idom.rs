//! Immediate dominators of any graph: of a body's blocks here, of a function's blocks in code generators.
//!
//! # Algorithm
//! Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm": the fastest on the graphs that people write, but quadratic on
//! two long paths with many bridges, and worse on irreducible webs. Its steps are counted; a graph that takes more than
//! [`STEPS_PER_EDGE`] for each edge is given to Lengauer and Tarjan, "A Fast Algorithm for Finding Dominators in a Flowgraph" (TOPLAS
//! 1979), with path compression.
//!
//! # Invariants
//! Nodes are numbered in reverse postorder from the root, which is 0: all are reachable, and a dominator has a lower number than what
//! it dominates.
//!
//! # Cost
//! O(edges · log nodes).

/// No node.
const NONE: u32 = u32::MAX;

/// Steps towards the root, per edge, that the simple algorithm may take.
const STEPS_PER_EDGE: usize = 16;

/// Predecessors of each node: those of node `i` stand in `list` from `starts[i]` to `starts[i + 1]`, in ascending order.
#[derive(Clone, Debug, Default)]
pub struct Preds {
    starts: Vec<u32>,
    list: Vec<u32>,
}

impl Preds {
    /// From edges, each as source and target; sources in ascending order.
    ///
    /// # Panics
    /// If a target is not below `nodes`.
    pub fn fill(&mut self, nodes: usize, edges: &[(u32, u32)]) {
        self.starts.clear();
        self.starts.resize(nodes + 1, 0);
        for &(_, to) in edges {
            self.starts[to as usize] += 1;
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.list.clear();
        self.list.resize(edges.len(), 0);
        // From the last edge, each list from its end.
        for &(from, to) in edges.iter().rev() {
            let place = &mut self.starts[to as usize];
            *place -= 1;
            self.list[*place as usize] = from;
        }
    }

    /// The predecessors of a node, once per edge.
    pub fn of(&self, node: usize) -> &[u32] {
        &self.list[self.starts[node] as usize..self.starts[node + 1] as usize]
    }

    fn nodes(&self) -> usize {
        self.starts.len() - 1
    }
}

/// The immediate dominator of each node; the root's is itself. Nodes are numbered in reverse postorder from the root.
///
/// ```
/// use wasmir::analysis::{Preds, immediate_dominators};
///
/// // A diamond: 0 to 1 and 2, both to 3.
/// let mut preds = Preds::default();
/// preds.fill(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
/// let mut idom = Vec::new();
/// immediate_dominators(&preds, &mut idom);
/// assert_eq!(idom, [0, 0, 0, 0]);
/// ```
pub fn immediate_dominators(preds: &Preds, idom: &mut Vec<u32>) {
    let budget = STEPS_PER_EDGE * (preds.nodes() + preds.list.len());
    if !iterative(preds, idom, budget) {
        lengauer_tarjan(preds, idom);
    }
}

/// Returns false when the budget is used up.
fn iterative(preds: &Preds, idom: &mut Vec<u32>, mut budget: usize) -> bool {
    let n = preds.nodes();
    idom.clear();
    idom.resize(n, NONE);
    idom[0] = 0;
    let mut changed = true;
    while changed {
        changed = false;
        for i in 1..n {
            let mut new = NONE;
            for &p in preds.of(i) {
                let Some(left) = budget.checked_sub(1) else {
                    return false;
                };
                budget = left;
                if idom[p as usize] == NONE {
                    continue;
                }
                if new == NONE {
                    new = p;
                    continue;
                }
                let mut other = p;
                while new != other {
                    let Some(left) = budget.checked_sub(1) else {
                        return false;
                    };
                    budget = left;
                    if new > other {
                        new = idom[new as usize];
                    } else {
                        other = idom[other as usize];
                    }
                }
            }
            if idom[i] != new {
                idom[i] = new;
                changed = true;
            }
        }
    }
    true
}

/// Works on numbers in preorder of a spanning tree; `node` and `number` translate.
struct Tree {
    node: Vec<u32>,
    number: Vec<u32>,
    parent: Vec<u32>,
}

/// A depth-first spanning tree.
fn spanning_tree(preds: &Preds) -> Tree {
    let n = preds.nodes();
    // Successors, by counting again.
    let mut edges: Vec<(u32, u32)> = Vec::with_capacity(preds.list.len());
    for to in 0..n {
        edges.extend(preds.of(to).iter().map(|&from| (to as u32, from)));
    }
    let mut succs = Preds::default();
    succs.fill(n, &edges);
    let mut tree = Tree {
        node: vec![0],
        number: vec![NONE; n],
        parent: vec![NONE],
    };
    tree.number[0] = 0;
    let mut stack = vec![(0u32, 0usize)];
    while let Some((node, next)) = stack.last_mut() {
        let Some(&to) = succs.of(*node as usize).get(*next) else {
            stack.pop();
            continue;
        };
        *next += 1;
        let from = tree.number[*node as usize];
        if tree.number[to as usize] == NONE {
            tree.number[to as usize] = tree.node.len() as u32;
            tree.node.push(to);
            tree.parent.push(from);
            stack.push((to, 0));
        }
    }
    tree
}

fn lengauer_tarjan(preds: &Preds, idom: &mut Vec<u32>) {
    let n = preds.nodes();
    let tree = spanning_tree(preds);
    let mut forest = Forest {
        ancestor: vec![NONE; n],
        label: (0..n as u32).collect(),
        semi: (0..n as u32).collect(),
        path: Vec::new(),
    };
    let mut dom = vec![0u32; n];
    // Lists of the nodes whose semidominator a node is.
    let (mut first, mut next) = (vec![NONE; n], vec![NONE; n]);
    for w in (1..n).rev() {
        for &p in preds.of(tree.node[w] as usize) {
            let u = forest.eval(tree.number[p as usize]);
            forest.semi[w] = forest.semi[w].min(forest.semi[u as usize]);
        }
        let semi = forest.semi[w] as usize;
        next[w] = first[semi];
        first[semi] = w as u32;
        let parent = tree.parent[w];
        forest.ancestor[w] = parent;
        let mut v = std::mem::replace(&mut first[parent as usize], NONE);
        while v != NONE {
            let u = forest.eval(v);
            dom[v as usize] = if forest.semi[u as usize] < forest.semi[v as usize] {
                u
            } else {
                parent
            };
            v = next[v as usize];
        }
    }
    for w in 1..n {
        if dom[w] != forest.semi[w] {
            dom[w] = dom[dom[w] as usize];
        }
    }
    idom.clear();
    idom.resize(n, 0);
    for w in 1..n {
        idom[tree.node[w] as usize] = tree.node[dom[w] as usize];
    }
}

/// The part of the spanning tree seen so far, with paths compressed.
struct Forest {
    ancestor: Vec<u32>,
    /// The node with the least semidominator on the path to the ancestor.
    label: Vec<u32>,
    semi: Vec<u32>,
    path: Vec<u32>,
}

impl Forest {
    fn eval(&mut self, v: u32) -> u32 {
        let mut at = v;
        while self.ancestor[at as usize] != NONE {
            self.path.push(at);
            at = self.ancestor[at as usize];
        }
        // The last one on the path hangs from the root itself, and has nothing to compress.
        self.path.pop();
        let root = at;
        while let Some(x) = self.path.pop() {
            let above = self.ancestor[x as usize];
            let (mine, other) = (self.label[x as usize], self.label[above as usize]);
            if self.semi[other as usize] < self.semi[mine as usize] {
                self.label[x as usize] = other;
            }
            self.ancestor[x as usize] = root;
        }
        self.label[v as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preds(edges: &[(u32, u32)]) -> Preds {
        let nodes = edges.iter().map(|&(a, b)| a.max(b) + 1).max().unwrap_or(1) as usize;
        let mut sorted = edges.to_vec();
        sorted.sort_unstable();
        let mut preds = Preds::default();
        preds.fill(nodes, &sorted);
        preds
    }

    /// By definition: `d` dominates `v` if `v` cannot be reached without `d`.
    fn slow(preds: &Preds) -> Vec<u32> {
        let n = preds.nodes();
        let reached_without = |d: usize| {
            let mut seen = vec![false; n];
            let mut grew = d != 0;
            seen[0] = d != 0;
            while grew {
                grew = false;
                for v in (0..n).filter(|&v| v != d) {
                    if !seen[v] && preds.of(v).iter().any(|&p| seen[p as usize]) {
                        seen[v] = true;
                        grew = true;
                    }
                }
            }
            seen
        };
        let mut count = vec![0; n];
        let mut dominators = vec![Vec::new(); n];
        for d in 0..n {
            for (v, seen) in reached_without(d).into_iter().enumerate() {
                if !seen && v != d {
                    count[v] += 1;
                    dominators[v].push(d);
                }
            }
        }
        // The closest one has as many dominators as the others together.
        let closest = |v: usize| dominators[v].iter().copied().max_by_key(|&d| count[d]);
        (0..n).map(|v| closest(v).unwrap_or(0) as u32).collect()
    }

    #[test]
    fn all_algorithms_agree_on_random_graphs() {
        let mut seed = 1u32;
        let mut next = |limit: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % limit
        };
        let mut retreating = 0;
        for round in 0..400u32 {
            let n = 2 + next(24);
            // A way from the root to each, upwards, so that dominators have lower numbers; then any edges at all.
            let mut edges: Vec<(u32, u32)> = (1..n).map(|v| (next(v), v)).collect();
            for _ in 0..next(2 * n) {
                let edge = (next(n), 1 + next(n - 1));
                retreating += u32::from(edge.0 >= edge.1);
                edges.push(edge);
            }
            let preds = preds(&edges);
            let expected = slow(&preds);
            let (mut simple, mut fast) = (Vec::new(), Vec::new());
            lengauer_tarjan(&preds, &mut fast);
            assert_eq!(fast, expected, "round {round}: {edges:?}");
            assert!(iterative(&preds, &mut simple, usize::MAX));
            assert_eq!(simple, expected, "round {round}: {edges:?}");
        }
        assert!(retreating > 500);
    }

    /// Two paths from the root, with a bridge from each pair to a node of its own.
    #[test]
    fn a_ladder_uses_up_the_budget() {
        let n = 2000;
        let mut edges = vec![(0, 1), (0, n + 1)];
        for i in 1..n {
            edges.push((i, i + 1));
            edges.push((n + i, n + i + 1));
        }
        for i in 1..=n {
            edges.push((i, 2 * n + i));
            edges.push((n + i, 2 * n + i));
        }
        let preds = preds(&edges);
        let mut idom = Vec::new();
        assert!(!iterative(
            &preds,
            &mut idom,
            STEPS_PER_EDGE * (preds.nodes() + preds.list.len())
        ));
        immediate_dominators(&preds, &mut idom);
        assert!((1..=n).all(|i| idom[(2 * n + i) as usize] == 0));
        assert_eq!(idom[n as usize], n - 1);
    }
}
