#![allow(missing_docs)]
use burn::tensor::{*, activation::relu, module::linear};
use std::time::Instant;
fn time<T>(name: &str, mut f: impl FnMut() -> T) { for _ in 0..50 { f(); } let mut best=f64::MAX; for _ in 0..20 { let t=Instant::now(); for _ in 0..20 { f(); } best=best.min(t.elapsed().as_secs_f64()/20.0);} println!("{name:30} {:.1} us", best*1e6); }
fn main() {
    if std::env::args().nth(1).is_some() { drop(std::hint::black_box(Vec::<u8>::with_capacity(30<<20))); }
    let d = Device::flex();
    let t = |r: usize, c: usize| Tensor::<2>::from_data(TensorData::new((0..r*c).map(|i| (i as f32*0.37).sin()).collect::<Vec<f32>>(), [r,c]), &d);
    let v = |c: usize| Tensor::<1>::from_data(TensorData::new((0..c).map(|i| (i as f32*0.37).sin()).collect::<Vec<f32>>(), [c]), &d);
    let (x, w, b, g) = (t(64,300), t(300,300), v(300), t(64,300));
    time("matmul 64x300x300", || x.clone().matmul(w.clone()));
    time("matmul x Wt", || g.clone().matmul(w.clone().transpose()));
    time("matmul Xt g", || x.clone().transpose().matmul(g.clone()));
    time("matmul 64x10x300", || t(64,10).matmul(t(10,300)));
    let (a10, w10) = (t(64,10), t(10,300));
    time("matmul 64x10x300 pure", || a10.clone().matmul(w10.clone()));
    let w1=t(300,1);
    time("matmul 64x300x1", || x.clone().matmul(w1.clone()));
    let g1=t(64,1);
    time("matmul g1 w1t", || g1.clone().matmul(w1.clone().transpose()));
    time("linear 300", || linear(x.clone(), w.clone(), Some(b.clone())));
    time("relu", || relu(x.clone()));
    time("sum_dim0", || g.clone().sum_dim(0));
    time("from_data 300x300", || t(300,300));
    let data=(0..90000).map(|i| i as f32).collect::<Vec<_>>();
    time("from_data copy", || Tensor::<2>::from_data(TensorData::new(data.clone(),[300,300]), &d));
    time("into_data", || w.clone().into_data());
    let (wt, bt) = (w.clone().autodiff().require_grad(), b.clone().autodiff().require_grad());
    time("linear autodiff fwd", || linear(x.clone(), wt.clone(), Some(bt.clone())));
    time("fwd+bwd one layer", || linear(x.clone(), wt.clone(), Some(bt.clone())).mean().backward());
    let s = v(1).autodiff().require_grad();
    time("tiny autodiff fwd+bwd", || (s.clone()*s.clone()).backward());
    let m = w.clone();
    time("adam-like op", || m.clone().mul_scalar(0.9));
}
