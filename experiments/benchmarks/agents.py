"""The updates of the agents in PyTorch, with the networks, losses and optimisers that `cgym` uses by default."""

import torch
from torch import nn
from torch.nn import functional

AMC = "AMC-ResNet56-CIFAR10-MACs50-v0"
# Sizes of that environment, and the default settings of `ddpg`.
OBSERVATION, ACTION, HIDDEN, BATCH, REPLAY = 11, 1, 300, 64, 27 * 133
ACTOR_RATE, CRITIC_RATE, TAU = 3e-4, 1e-3, 0.01
# N2N-Removal-ResNet20-Digits-v0 and N2N-Shrinkage-ResNet20-Digits-v0, and the default settings of `reinforce`.
ROWS, FEATURES, WIDTH, LAYERS, EPISODES, RATE, ENTROPY = 71, 15, 30, 2, 5, 3e-3, 0.01
REMOVAL_STEPS, REMOVAL_CURSOR = 54, 1
SHRINKAGE_STEPS, SHRINKAGE_CURSOR, SHRINKAGE_ACTIONS = 14, 4, 10


class Critic(nn.Module):
    """The value of an action at an observation; both are inputs of the first layer."""

    def __init__(self):
        super().__init__()
        self.observation, self.action = nn.Linear(OBSERVATION, HIDDEN), nn.Linear(ACTION, HIDDEN, bias=False)
        self.second, self.value = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 1)

    def forward(self, observations, actions):
        hidden = functional.relu(self.observation(observations) + self.action(actions))
        return self.value(functional.relu(self.second(hidden)))


def actor():
    return nn.Sequential(
        nn.Linear(OBSERVATION, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, ACTION),
        nn.Sigmoid(),
    )


class Ddpg:
    """An agent in the middle of a search with a budget, its replay memory full."""

    def __init__(self, bootstrap, fused):
        torch.manual_seed(0)
        self.actor, self.critic, self.targets = actor(), Critic(), None
        if bootstrap:
            self.targets = actor(), Critic()
            self.targets[0].load_state_dict(self.actor.state_dict())
            self.targets[1].load_state_dict(self.critic.state_dict())
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), ACTOR_RATE, fused=fused)
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), CRITIC_RATE, fused=fused)
        self.observations, self.next_observations = torch.rand(2, REPLAY, OBSERVATION)
        self.actions, self.values = torch.rand(REPLAY, ACTION), torch.randn(REPLAY, 1)
        self.bootstraps, self.level = torch.ones(REPLAY, 1), 0.5

    def update(self):
        """One step of critic and actor, and of their target networks where there are some."""
        rows = torch.randint(REPLAY, (BATCH,))
        observations, targets = self.observations[rows], self.values[rows]
        if self.targets:
            with torch.no_grad():
                following = self.next_observations[rows]
                target_actor, target_critic = self.targets
                next_values = target_critic(following, target_actor(following))
                targets = targets + next_values * self.bootstraps[rows]
        loss = functional.mse_loss(self.critic(observations, self.actions[rows]), targets)
        self.critic_adam.zero_grad()
        loss.backward()
        self.critic_adam.step()

        self.critic.requires_grad_(False)
        policy = self.actor(observations)
        mean = policy.mean()
        drift = mean - self.level
        value = self.critic(observations, policy - mean + self.level).mean()
        actor_loss = drift * drift - value
        self.actor_adam.zero_grad()
        actor_loss.backward()
        self.actor_adam.step()
        self.critic.requires_grad_(True)

        if self.targets:
            with torch.no_grad():
                for target, network in zip(self.targets, (self.actor, self.critic)):
                    torch._foreach_lerp_([*target.parameters()], [*network.parameters()], TAU)
        return loss.item(), actor_loss.item()


class Removal(nn.Module):
    """N2N's removal policy: a bidirectional LSTM over all layers, read at the current one with the cursor."""

    ENVIRONMENT, STEPS = "N2N-Removal-ResNet20-Digits-v0", REMOVAL_STEPS

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, WIDTH, LAYERS, bidirectional=True)
        self.head = nn.Linear(2 * WIDTH + REMOVAL_CURSOR, 2)
        self.table, self.cursor = torch.rand(ROWS, FEATURES), torch.ones(EPISODES, REMOVAL_CURSOR)
        self.rows = torch.arange(REMOVAL_STEPS) + ROWS - REMOVAL_STEPS

    def sample(self):
        """Decisions of all episodes of an update, step by step; the layers are encoded once."""
        encoded, _ = self.lstm(self.table)
        chosen = []
        for row in self.rows:
            read = torch.cat([encoded[row].expand(EPISODES, -1), self.cursor], 1)
            chosen.append(torch.multinomial(torch.softmax(self.head(read), 1), 1).squeeze(1))
        return torch.stack(chosen), None

    def logits(self, _):
        encoded, _ = self.lstm(self.table)
        current = encoded[self.rows].unsqueeze(1).expand(-1, EPISODES, -1)
        return self.head(torch.cat([current, self.cursor.expand(REMOVAL_STEPS, -1, -1)], 2))


class Shrinkage(nn.Module):
    """N2N's shrinkage policy: an LSTM over decisions that reads the current layer and the previous action."""

    ENVIRONMENT, STEPS = "N2N-Shrinkage-ResNet20-Digits-v0", SHRINKAGE_STEPS

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(FEATURES + SHRINKAGE_CURSOR + SHRINKAGE_ACTIONS, WIDTH, LAYERS)
        self.head = nn.Linear(WIDTH, SHRINKAGE_ACTIONS)
        self.layers = torch.rand(SHRINKAGE_STEPS, EPISODES, FEATURES + SHRINKAGE_CURSOR)

    def sample(self):
        """Decisions of all episodes of an update, step by step, and the inputs that they were made for."""
        state, previous, chosen, inputs = None, torch.zeros(EPISODES, SHRINKAGE_ACTIONS), [], []
        for layer in self.layers:
            inputs.append(torch.cat([layer, previous], 1))
            hidden, state = self.lstm(inputs[-1].unsqueeze(0), state)
            chosen.append(torch.multinomial(torch.softmax(self.head(hidden[0]), 1), 1).squeeze(1))
            previous = functional.one_hot(chosen[-1], SHRINKAGE_ACTIONS).float()
        return torch.stack(chosen), torch.stack(inputs)

    def logits(self, inputs):
        return self.head(self.lstm(inputs)[0])


class Reinforce:
    """REINFORCE on one of N2N's policies."""

    def __init__(self, policy, fused):
        torch.manual_seed(0)
        self.policy = policy()
        self.adam = torch.optim.Adam(self.policy.parameters(), RATE, fused=fused)
        self.advantages = torch.randn(EPISODES)

    def step(self):
        """Samples the episodes of one update, then makes the update."""
        with torch.no_grad():
            chosen, inputs = self.policy.sample()
        logs = torch.log_softmax(self.policy.logits(inputs), 2)
        gained = (self.advantages * logs.gather(2, chosen.unsqueeze(2)).squeeze(2)).sum()
        entropy = -(logs.exp() * logs).sum()
        loss = -(gained + ENTROPY * entropy) / EPISODES
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return loss.item()
