"""What tests of several folders of configs look at."""

from mmengine.hooks import Hook


class GradientNotes(Hook):
    """Which parameters have gradients when the optimizer steps."""

    def before_train(self, runner):
        self.steps = 0
        self.model = runner.model
        self.before = {n: t.clone() for n, t in self.model.state_dict().items()}
        runner.optim_wrapper.optimizer.register_step_pre_hook(self.note)

    def note(self, *_):
        self.steps += 1
        self.trained = {n for n, p in self.model.named_parameters() if p.requires_grad}
        self.reached = {
            name
            for name, p in self.model.named_parameters()
            if p.grad is not None and p.grad.isfinite().all() and p.grad.any()
        }


def difference(cfg, reference, path=''):
    """Paths and values of what a config says otherwise than another one."""
    if isinstance(cfg, dict) and isinstance(reference, dict):
        found = {}
        for key in sorted(cfg.keys() | reference.keys()):
            values = cfg.get(key), reference.get(key)
            found |= difference(*values, f'{path}.{key}' if path else key)
        return found
    return {} if cfg == reference else {path: cfg}
